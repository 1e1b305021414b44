"""Opens one WebSocket at a node: chooses, hands the handshake over, and tries others where a node fails.

How long each node takes to answer 101 is measured here, for the policy that goes by that. Only the handshake is timed:
a WebSocket that lives for an hour is not an answer that took one.
"""

import asyncio
from typing import NamedTuple

import structlog

from ringway.errors import UpgradeError
from ringway.gateway.affinity import Affinity
from ringway.gateway.backends import Address
from ringway.gateway.head import Head
from ringway.gateway.placer import Place, Placer
from ringway.gateway.query import Query
from ringway.gateway.reach import Reach
from ringway.gateway.response import retry_after
from ringway.gateway.rewrite import refusal_headers, upgrade_request
from ringway.gateway.stats import Stats
from ringway.gateway.upstream import Answer, Unreachable
from ringway.protocol.forwarded import is_trusted, read_client
from ringway.protocol.upgrade import Upgrade, check_response

_log = structlog.get_logger()


class Refusal(UpgradeError):
    """A node refused the handshake with a status that its client should see."""

    def __init__(self, answer: Answer) -> None:
        super().__init__(answer.status, f"the node refused with {answer.status}", refusal_headers(answer.headers))
        self.body = answer.body


class _Wish(NamedTuple):
    """What a client wants opened."""

    client: asyncio.Transport
    head: Head
    upgrade: Upgrade
    query: Query
    key: bytes | None


class Opener:
    """See the module. What it returns is checked: a valid WebSocket, or nothing (DESIGN.md 12)."""

    def __init__(self, placer: Placer, affinity: Affinity, reach: Reach, stats: Stats) -> None:
        self._placer = placer
        self._affinity = affinity
        self._reach = reach
        self._stats = stats

    async def open(self, client: asyncio.Transport, head: Head, upgrade: Upgrade) -> tuple[Place, Answer]:
        """Return a place and the good answer of its node, trying alternates where nodes fail."""
        query = Query(head.query)
        wish = _Wish(client, head, upgrade, query, self._affinity.key(client, head, query))
        moved = self._placer.moved(query.node, query.ticket) if query.node and query.ticket else None
        if moved is not None:
            place = Place(moved, query.ticket, (), held=False)
            try:
                return place, await self._try(wish, place)
            except Unreachable:
                self._stats.retries += 1
            except Refusal as error:
                if error.status != 403:  # a used ticket must not shut its bearer out
                    raise
        place = self._placer.place(wish.key, held=True)
        if place.wait_s:
            await asyncio.sleep(place.wait_s)
        while True:
            try:
                return place, await self._try(wish, place)
            except Unreachable:
                if not place.alternates:
                    raise
            self._stats.retries += 1
            place = self._placer.place_at(place.alternates[0], place.alternates[1:])

    async def _try(self, wish: _Wish, place: Place) -> Answer:
        """Return the answer of the node at `place` if it opens the WebSocket; else give the place up and raise."""
        response = place.node.response
        begun = self._placer.clock()
        response.opening += 1
        try:
            answer = await self._ask(wish, place)
        except BaseException as error:
            self._placer.give_up(place)
            now = self._placer.clock()
            if isinstance(error, asyncio.CancelledError):
                response.observe_at_least(now - begun, now)  # time for all tries is over, and this one's may be short
            elif not isinstance(error, Refusal):  # a quick refusal does not make a node a quick one
                response.failed(now)
            if isinstance(error, UpgradeError):
                _log.info("a node did not open a websocket", node=place.node.name, error=str(error))
            raise
        finally:
            response.opening -= 1
        now = self._placer.clock()
        response.observe(now - begun, now)
        return answer

    async def _ask(self, wish: _Wish, place: Place) -> Answer:
        address = self._reach.address(place.node)
        answer = await self._reach.ask(address, self._request(wish, address, place))
        try:
            self._check_status(answer)
            check_response(wish.upgrade, answer.status, answer.version, answer.headers)
        except UpgradeError:
            answer.transport.abort()
            raise
        return answer

    def _check_status(self, answer: Answer) -> None:
        """Tell refusals apart: those that the client must see, and those after which another node may do better."""
        status = answer.status
        if 400 <= status < 500:
            raise Refusal(answer)
        if status == 503:
            pause = retry_after(self._placer.pause_s())
            raise Unreachable(503, "the node takes no more now", (("Retry-After", pause),))
        if status >= 500:
            raise Unreachable(502, f"the node answered {status} to a WebSocket handshake")

    def _request(self, wish: _Wish, address: Address, place: Place) -> bytes:
        head = wish.head
        peer = wish.client.get_extra_info("peername")
        peer_ip = peer[0] if peer else ""
        # Only static backends have a path of their own: a node serves the path that its clients ask for.
        path = head.path if self._placer.tickets else address.prefix + head.path
        asked = wish.query.for_node(wish.key, place.ticket) if self._placer.tickets else head.query
        target = f"{path}?{asked}" if asked else path
        trusted = self._affinity.trusted
        who = read_client(peer_ip, head.headers, trusted)
        return upgrade_request(target, head.headers, who, trust_peer=is_trusted(peer_ip, trusted))

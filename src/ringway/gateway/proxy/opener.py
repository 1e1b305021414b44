"""Opening of WebSockets at nodes: chooses a node, forwards the handshake, and tries alternates if the node fails.

The time that each node takes to answer 101 is measured here, for the policy that goes by it. Only the handshake is
timed: a WebSocket that lives for an hour is not an answer that took an hour.
"""

import asyncio
from collections.abc import Collection, Mapping
from types import MappingProxyType

from ringway.core.load import NodeLoad
from ringway.errors import UpgradeError
from ringway.gateway.cluster.backends import OnMove
from ringway.gateway.placement.placer import Place, Placer
from ringway.gateway.proxy.addresses import NodeAddresses
from ringway.gateway.proxy.rewrite import refusal_headers
from ringway.gateway.proxy.upgrade_request import UpgradeRequest
from ringway.gateway.proxy.upstream import Answer, Unreachable
from ringway.gateway.stats import GatewayStats
from ringway.logger import get_logger
from ringway.protocol.response import retry_after
from ringway.protocol.upgrade import Upgrade, check_response, value_of
from ringway.types import NodeName

_log = get_logger()


class Refusal(UpgradeError):
    """A node refused the handshake, or redirected it, with an answer that its client should see."""

    def __init__(self, answer: Answer) -> None:
        headers = refusal_headers(answer.headers)
        if answer.cut and value_of(headers, "content-encoding") is not None:  # a part of it cannot be decoded
            headers = tuple((name, value) for name, value in headers if not name.startswith("content-"))
            answer.body = b""
        super().__init__(answer.status, f"the node refused with {answer.status}", headers)
        self.body = answer.body


class Opener:
    """Opens WebSockets at nodes. What it returns is checked: a valid WebSocket, or nothing (PROTOCOL.md P-2.4).

    `reopen` names the static backends whose WebSockets may go on elsewhere, `hosts` has the Host
    for backends that are not asked for the host that the client named.
    """

    def __init__(
        self,
        placer: Placer,
        addresses: NodeAddresses,
        stats: GatewayStats,
        reopen: Collection[NodeName] = (),
        hosts: Mapping[NodeName, str] = MappingProxyType({}),
    ) -> None:
        self._placer = placer
        self._addresses = addresses
        self._stats = stats
        self._reopen = reopen
        self._hosts = hosts

    def on_move(self, node: NodeLoad) -> OnMove:
        """Return what becomes of a WebSocket that is open at `node` when the node restarts or is lost."""
        if self._placer.tickets:
            return OnMove.FOLLOW
        return OnMove.REOPEN if node.name in self._reopen else OnMove.CLOSE

    async def open(self, upgrade: UpgradeRequest) -> tuple[Place, Answer]:
        """Return a place and the good answer of its node; try alternates if nodes fail."""
        query = upgrade.query
        moved = self._placer.moved(query.node, query.ticket) if query.node and query.ticket else None
        if moved is not None:
            place = Place(moved, query.ticket, (), held=False)
            try:
                return place, await self._try(upgrade, place)
            except Unreachable:
                self._stats.retries += 1
            except Refusal as error:
                if error.status != 403:  # a used ticket must not shut its bearer out
                    raise
        return await self._try_each(upgrade, await self._place(upgrade))

    async def reopen(self, upgrade: UpgradeRequest, lost: NodeLoad) -> tuple[Place, Answer]:
        """Return the same for a WebSocket that was open at `lost`, which is tried last."""
        place = await self._place(upgrade)
        if place.node is lost and place.alternates:
            self._placer.give_up(place)
            place = self._placer.place_at(place.alternates[0], (*place.alternates[1:], lost))
        return await self._try_each(upgrade, place)

    async def follow(self, upgrade: UpgradeRequest, node: NodeLoad, ticket: str) -> Answer:
        """Return the good answer of `node`, where the session of `ticket` goes on. The node is asked once.

        The time is not measured: the node may wait for the last message of its donor.
        """
        return await self._request(upgrade, Place(node, ticket, (), held=False), resume=True)

    async def _place(self, upgrade: UpgradeRequest) -> Place:
        """Return a place for the client when its slot has come."""
        place = self._placer.place(upgrade.key, upgrade.address, held=True)
        if place.wait_s:
            await asyncio.sleep(place.wait_s)
        return place

    async def _try_each(self, upgrade: UpgradeRequest, place: Place) -> tuple[Place, Answer]:
        while True:
            try:
                return place, await self._try(upgrade, place)
            except Unreachable:
                if not place.alternates:
                    raise
            self._stats.retries += 1
            place = self._placer.place_at(place.alternates[0], place.alternates[1:])

    async def _try(self, upgrade: UpgradeRequest, place: Place) -> Answer:
        """Return the answer of the node at `place` if it opens the WebSocket; else give the place up and raise."""
        response = place.node.response
        begun = self._placer.clock()
        response.opening += 1
        try:
            answer = await self._request(upgrade, place)
        except BaseException as error:
            self._placer.give_up(place)
            now = self._placer.clock()
            if isinstance(error, asyncio.CancelledError):
                response.observe_at_least(
                    now - begun, now
                )  # the time for all tries is over, and that of this try may be short
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

    async def _request(self, upgrade: UpgradeRequest, place: Place, *, resume: bool = False) -> Answer:
        address = self._addresses.address_of(place.node)
        # What may go on elsewhere is opened without extensions: what a compressor remembers would stay behind.
        extensions = self.on_move(place.node) is OnMove.CLOSE and upgrade.agreed is None
        handshake = upgrade.handshake
        asked = handshake if extensions else Upgrade(handshake.key, handshake.protocols, ())
        if self._placer.tickets:
            query = upgrade.query.for_node(upgrade.key, place.ticket, resume=resume)
            proof = self._placer.prove(place.ticket, upgrade.told)
            request = upgrade.encode(upgrade.path, query, extensions=extensions, proof=proof)
        else:  # only static backends have a path of their own: a node serves the path that its clients ask for
            host = self._hosts.get(place.node.name, "")
            request = upgrade.encode(address.prefix + upgrade.path, upgrade.asked, extensions=extensions, host=host)
        answer = await self._addresses.send_request(address, request)
        try:
            self._check_status(answer)
            check_response(asked, answer.status, answer.version, answer.headers)
            upgrade.agree(answer.headers)
        except UpgradeError:
            answer.transport.abort()
            raise
        return answer

    def _check_status(self, answer: Answer) -> None:
        """Raise `Refusal` for an answer that the client must see, `Unreachable` if another node may do better."""
        status = answer.status
        if 300 <= status < 500:  # the client may follow a redirect itself
            raise Refusal(answer)
        if status == 503:
            pause = value_of(answer.headers, "retry-after") or retry_after(self._placer.pause_s())
            raise Unreachable(503, "the node takes no more now", (("Retry-After", pause),))
        if status >= 500:
            raise Unreachable(502, f"the node answered {status} to a WebSocket handshake")

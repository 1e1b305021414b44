"""Relays of a gateway, the proxied WebSockets: accepts upgrades, owns the open relays, and ends them."""

import asyncio
from collections.abc import Callable, Iterator
from contextlib import suppress
from typing import TYPE_CHECKING

from ringway.core.membership import MemberLeft, MembershipEvent
from ringway.core.route import CLOSE_AT_END
from ringway.core.sticky.table import SessionKey
from ringway.errors import NoNode, UpgradeError
from ringway.gateway.config.gateway import GatewayConfig
from ringway.gateway.placement.address_limits import AddressLimits
from ringway.gateway.placement.affinity import Affinity
from ringway.gateway.placement.placer import Place
from ringway.gateway.placement.placers import Placers
from ringway.gateway.placement.routing import Routing
from ringway.gateway.placement.token_check import TokenCheck
from ringway.gateway.proxy.migrations import Migrations
from ringway.gateway.proxy.opener import Opener, Refusal
from ringway.gateway.proxy.relay import Relay
from ringway.gateway.proxy.relay_tokens import RelayTokens
from ringway.gateway.proxy.rewrite import upgrade_response
from ringway.gateway.proxy.send_off import SendOff
from ringway.gateway.proxy.table import RelayTable
from ringway.gateway.proxy.upgrade_request import UpgradeRequest, read_request
from ringway.gateway.proxy.upstream import Answer, Unreachable
from ringway.gateway.stats import GatewayStats
from ringway.gateway.sticky.sessions import Sessions
from ringway.logger import get_logger
from ringway.net.lingering_close import LingeringCloses
from ringway.protocol.backend import OnMove
from ringway.protocol.claims import ConnectionClaims
from ringway.protocol.close import GOING_AWAY, SERVICE_RESTART
from ringway.protocol.deflate import without_client_context
from ringway.protocol.group import DEFAULT
from ringway.protocol.head import RequestHead
from ringway.protocol.response import carried, error_response, no_node
from ringway.protocol.upgrade import Upgrade, check_request, tokens_of
from ringway.tasks import Tasks
from ringway.types import Incarnation, NodeName

if TYPE_CHECKING:
    from random import Random

OnArrival = Callable[[Relay, Place], None]
"""Receives each relay that is open at a node, with its place there."""

ABORT_DEADLINE_S = 1.0
"""The time for aborted relays to end: their transports need a turn of the loop or two."""

_log = get_logger()

_COME_AGAIN = (("Retry-After", "2"),)


class Relays:
    """All proxied WebSockets of a gateway. Owns every open relay, and a task for each relay that is being opened."""

    def __init__(
        self,
        config: GatewayConfig,
        placers: Placers,
        routing: Routing,
        affinity: Affinity,
        opener: Opener,
        stats: GatewayStats,
        relays_max: int,
        rng: "Random",
        limits: AddressLimits,
        lingering: LingeringCloses,
        tokens: TokenCheck,
        relay_tokens: RelayTokens,
        sessions: Sessions,
    ) -> None:
        self._sessions = sessions
        self._session_of: dict[Relay, SessionKey] = {}
        self._config = config
        self._placers = placers
        self._routing = routing
        self._affinity = affinity
        self._stats = stats
        self._relays_max = relays_max
        self._opener = opener
        self._limits = limits
        self._lingering = lingering
        self._tokens = tokens
        self.relay_tokens = relay_tokens
        self.table = RelayTable()
        self._migrations = Migrations(config, placers, opener, self.table, stats, rng, self._arrived)
        self.on_arrival: list[OnArrival] = []
        self._opening = Tasks()
        self._cuts: dict[Incarnation, asyncio.TimerHandle] = {}  # the cuts of relays to nodes that left in order

    def __iter__(self) -> Iterator[Relay]:
        """The open relays at this moment."""
        return iter(self.table)

    def admit(self, client: asyncio.Transport, head: RequestHead, early: bytes) -> None:
        """Own the connection `client`, whose reading is paused, and open the WebSocket that `head` requests.

        Raises `UpgradeError`, without having touched the connection, if the request cannot be served.
        """
        handshake = check_request(head.method, head.version, head.headers)
        stats = self._stats
        if len(self._opening) >= self._config.handshakes_pending_max:
            stats.refused["full"] += 1
            raise UpgradeError(503, "too many handshakes are under way; come again", _COME_AGAIN)
        if stats.relays_open + len(self._opening) >= self._relays_max:
            stats.refused["full"] += 1
            full = f"this gateway carries {self._relays_max} WebSockets, its bound; come again"
            raise UpgradeError(503, full, _COME_AGAIN)
        address = self._limits.client_address(client, head)
        try:
            self._limits.begin_handshake(address, self._relays_max)
        except UpgradeError:
            stats.refused["full"] += 1
            raise
        task = self._opening.spawn(self._open(client, head, handshake, early, address), name="opening of a relay")
        stats.handshakes_pending = len(self._opening)
        task.add_done_callback(self._on_opening_done)

    def on_event(self, event: MembershipEvent) -> None:
        """Cut the relays to a node that is gone; a node that left in order may close them itself first."""
        incarnation = event.report.incarnation
        if isinstance(event, MemberLeft):
            if event.cause != "withdrawn":
                self._cut(incarnation)
            elif self.table.relays_at(incarnation):
                self._cut_later(incarnation)

    def on_down(self, name: NodeName) -> None:
        """Let the relays of a backend that fails its check leave it, if they may be reopened."""
        node = self._placers.groups.nodes.get(name)
        for relay in self.table.relays_at(node.incarnation) if node is not None else ():
            self._migrations.leave_soon(relay)

    def send_off(self, relay: Relay, send_off: SendOff) -> bool:
        """Move `relay` to the backend of `send_off` at a quiet moment, by its own backend's `on_move`.

        Return False, without a report, if it may not leave: it is never moved, is being moved, closes, or is there
        already.
        """
        return self._migrations.send_off(relay, send_off)

    @property
    def files(self) -> int:
        """The present and expected descriptors: two for each WebSocket, three while it is between two nodes."""
        stats = self._stats
        return 2 * (stats.relays_open + len(self._opening)) + stats.relays_moving

    @property
    def leaving(self) -> int:
        """The number of relays that wait for their turn to leave a backend that is out or gone."""
        return self._migrations.leaving

    def close_drained(self, relay: Relay) -> None:
        """Close `relay` at the deadline of a drain, so that its client comes back elsewhere."""
        relay.cut(relay.close_code, "drained", "drained")

    def tally(self) -> None:
        """Update the byte counters, and end the relays that idle too long; call it periodically."""
        now, idle_s = self._placers.clock(), self._config.relay_idle_s
        for relay in self.table:
            if relay.count_carried():
                relay.heard_at = now
            elif idle_s and now - max(relay.heard_at, relay.opened_at) > idle_s:
                relay.cut(GOING_AWAY, f"nothing was carried for {idle_s:g} s", "idle")

    async def stop(self) -> None:
        """Tell every client 1012, and return when all relays are over: at `stop_deadline_s` the rest is aborted."""
        await self._opening.aclose()
        for handle in self._cuts.values():
            handle.cancel()
        for relay in self.table:
            relay.cut(SERVICE_RESTART, "the gateway is stopping", "stop")
        await self._migrations.stop()
        await self._none_left(self._config.stop_deadline_s)
        for relay in self.table:
            relay.abort()
        await self._none_left(ABORT_DEADLINE_S)

    # Calls of relays.

    def on_node_closed(self, relay: Relay) -> bool:
        """Judge the node's close frame; return True if the relay goes on at a next node, or was cut here."""
        return self._migrations.follow_close(relay)

    def on_node_lost(self, relay: Relay) -> bool:
        """Judge the node's end without a close frame; return as `on_node_closed` does."""
        return self._migrations.follow_loss(relay)

    def on_relay_over(self, relay: Relay) -> None:
        """Forget `relay`, which has ended."""
        self.table.remove(relay)
        self.relay_tokens.forget(relay)
        if (session := self._session_of.pop(relay, None)) is not None:
            self._sessions.end_use(session)
        self._migrations.forget(relay)
        self._stats.relays_open -= 1
        self._limits.end_relay(relay.address)

    async def _none_left(self, deadline_s: float) -> None:
        """Wait until no relay is left, or for `deadline_s`."""
        with suppress(TimeoutError):
            async with asyncio.timeout(deadline_s):
                await self.table.empty.wait()

    def _cut_later(self, incarnation: Incarnation) -> None:
        def cut() -> None:
            self._cuts.pop(incarnation, None)
            self._cut(incarnation)

        self._cuts[incarnation] = asyncio.get_running_loop().call_later(self._config.farewell_s, cut)

    def _cut(self, incarnation: Incarnation) -> None:
        for relay in self.table.relays_at(incarnation):
            if relay.on_move is OnMove.REOPEN:
                self._migrations.leave_soon(relay)
            else:
                relay.cut(SERVICE_RESTART, "node lost", "node_lost")

    def _on_opening_done(self, task: asyncio.Task[None]) -> None:
        self._stats.handshakes_pending = len(self._opening)

    async def _open(
        self, client: asyncio.Transport, head: RequestHead, handshake: Upgrade, early: bytes, address: str
    ) -> None:
        """Open one relay, or answer with the reason and close the connection."""
        stats = self._stats
        came = ours = False
        group = DEFAULT
        claims: ConnectionClaims | None = None
        try:
            upgrade = self._read(client, head, handshake, address)
            group = upgrade.route.group
            if upgrade.route.auth:
                head, claims = await self._tokens.admit(client, head)
                upgrade = self._read(client, head, handshake, address, claims.sub)
            async with asyncio.timeout(self._config.handshake_deadline_s):
                place, answer = await self._open_at_session(upgrade, head)
        except Refusal as error:
            stats.refused["status"] += 1
            self._refuse(client, error.status, carried(error.status, error.body, *error.headers))
        except NoNode as error:
            stats.refused["no_node"] += 1
            self._refuse(client, 503, no_node(error, self._placers[group].pause_s(error), close=True))
        except UpgradeError as error:
            stats.refused[_cause(error)] += 1
            self._refuse(client, error.status, error_response(error, close=True))
        except TimeoutError:
            stats.refused["timeout"] += 1
            late = UpgradeError(504, "no node answered the handshake in time")
            self._refuse(client, 504, error_response(late, close=True))
        except asyncio.CancelledError:
            client.abort()
            raise
        except Exception:
            _log.exception("a handshake failed by a fault of the gateway")
            client.abort()
        else:
            ours = place.held and not place.node.is_backend
            came = self._start(client, upgrade, place, answer, early, claims)
        finally:
            self._limits.end_handshake(address, came=came, ours=ours)

    async def _open_at_session(self, upgrade: UpgradeRequest, head: RequestHead) -> tuple[Place, Answer]:
        """Open the WebSocket at the backend of its session, if its route has sessions, or at a chosen node."""
        route = upgrade.route
        if not route.sticky:
            return await self._opener.open(upgrade)
        use, node, is_asked = self._sessions.find_now(route, head)
        if is_asked:
            node = await self._sessions.find(route, use)
        if node is None:
            return await self._opener.open(upgrade)
        try:
            opened = await self._opener.open_at(upgrade, node)
        except Unreachable as error:
            if use.id and error.status == 502:
                raise self._sessions.on_unreachable(route, use.id) from error
            raise
        upgrade.session = use.id
        return opened

    def _read(
        self, client: asyncio.Transport, head: RequestHead, handshake: Upgrade, address: str, user: str | None = None
    ) -> UpgradeRequest:
        """Return the request of `client`, with the `user` of its verified token; raise `UpgradeError` 404."""
        header = self._config.auth_user_header
        find_route = self._routing.find_with_keys
        return read_request(client, head, handshake, self._affinity, find_route, address, user_header=header, user=user)

    def _start(
        self,
        client: asyncio.Transport,
        upgrade: UpgradeRequest,
        place: Place,
        answer: Answer,
        early: bytes,
        claims: ConnectionClaims | None,
    ) -> bool:
        """Relay the WebSocket from now on; return False if its client has left."""
        stats = self._stats
        if client.is_closing():
            stats.refused["gone"] += 1
            self._placers.give_up(place)
            answer.transport.abort()
            return False
        stats.relays_open += 1
        stats.relays_opened += 1
        stats.responses[101] += 1
        extensions = bool(tokens_of(answer.headers, "sec-websocket-extensions"))
        on_move = self._opener.on_move(place.node, upgrade)
        kept = upgrade.pack() if on_move in (OnMove.REOPEN, OnMove.FOLLOW) else None
        key = upgrade.key or b""
        relay = Relay(on_move, kept, self._config, stats, self, upgrade.address, key, extensions=extensions)
        relay.backend = self._opener.backend_of(place.node, upgrade.route)
        relay.opened_at = self._placers.clock()
        self.table.enter(relay, place.node)
        if upgrade.session:
            session = self._session_of[relay] = (upgrade.route.group, upgrade.route.sticky, upgrade.session)
            self._sessions.begin_use(session, carried=True)
        if claims is not None and place.node.is_backend:
            self.relay_tokens.watch(relay, claims, ends=upgrade.route.auth_end == CLOSE_AT_END)
        self._arrived(relay, place)
        reopens = on_move is OnMove.REOPEN
        client.write(upgrade_response(without_client_context(answer.headers) if reopens else answer.headers))
        guess = reopens and relay.backend is not None and relay.backend.on_move is OnMove.AUTO
        relay.start(client, answer.transport, early, answer.rest, guess=guess)
        return True

    def _arrived(self, relay: Relay, place: Place) -> None:
        for on_arrival in self.on_arrival:
            on_arrival(relay, place)

    def _refuse(self, client: asyncio.Transport, status: int, whole: bytes) -> None:
        self._stats.responses[status] += 1
        self._lingering.close_after(client, whole)


def _cause(error: UpgradeError) -> str:
    if isinstance(error, Unreachable):
        return {503: "status", 504: "timeout"}.get(error.status, "unreachable")
    return {400: "token", 401: "token", 403: "token", 404: "no_route"}.get(error.status, "answer")

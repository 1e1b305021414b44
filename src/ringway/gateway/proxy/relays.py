"""The proxied WebSockets of a gateway: takes upgrades in, keeps the open relays, and ends them."""

import asyncio
from contextlib import suppress
from typing import TYPE_CHECKING

import structlog

from ringway.core.membership import MemberLeft, MembershipEvent
from ringway.errors import NoNode, UpgradeError
from ringway.gateway.cluster.backends import OnMove
from ringway.gateway.config.gateway import GatewayConfig
from ringway.gateway.http.address_limits import AddressLimits
from ringway.gateway.placement.affinity import Affinity
from ringway.gateway.placement.placer import Place, Placer
from ringway.gateway.proxy.migrations import Transfers
from ringway.gateway.proxy.opener import Opener, Refusal
from ringway.gateway.proxy.relay import Tunnel
from ringway.gateway.proxy.rewrite import upgrade_response
from ringway.gateway.proxy.table import Berths
from ringway.gateway.proxy.upgrade_request import Wish
from ringway.gateway.proxy.upstream import Answer, Unreachable
from ringway.gateway.stats import Stats
from ringway.net.lingering_close import LingeringCloses
from ringway.protocol.close import GOING_AWAY, SERVICE_RESTART
from ringway.protocol.head import RequestHead
from ringway.protocol.response import carried, error_response, no_node
from ringway.protocol.upgrade import Upgrade, check_request, tokens_of
from ringway.types import Incarnation, NodeState

if TYPE_CHECKING:
    from random import Random

ABORT_DEADLINE_S = 1.0
"""How long aborted relays may take to vanish: their transports need a turn of the loop or two."""

_log = structlog.get_logger()

_SHED = (("Retry-After", "2"),)


class Relays:
    """All proxied WebSockets of a gateway. Owns a task for each that is being opened, and every open tunnel."""

    def __init__(
        self,
        config: GatewayConfig,
        placer: Placer,
        affinity: Affinity,
        opener: Opener,
        stats: Stats,
        relays_max: int,
        rng: "Random",
        limits: AddressLimits,
        lingering: LingeringCloses,
    ) -> None:
        self._config = config
        self._placer = placer
        self._affinity = affinity
        self._stats = stats
        self._relays_max = relays_max
        self._opener = opener
        self._rng = rng
        self._limits = limits
        self._lingering = lingering
        self._berths = Berths(placer.view, counts=not placer.tickets)
        self._transfers = Transfers(config, placer, opener, self._berths, stats, rng, limits)
        self._opening: set[asyncio.Task[None]] = set()
        self._farewells: dict[Incarnation, asyncio.TimerHandle] = {}
        self._leaving: dict[Tunnel, asyncio.TimerHandle] = {}

    def admit(self, client: asyncio.Transport, head: RequestHead, early: bytes) -> None:
        """Take over the connection `client`, whose reading is paused, and open the WebSocket that `head` asks for.

        Raises `UpgradeError`, without having touched the connection, where the request is not to be served.
        """
        upgrade = check_request(head.method, head.version, head.headers)
        stats = self._stats
        if len(self._opening) >= self._config.handshakes_pending_max:
            stats.refused["full"] += 1
            raise UpgradeError(503, "too many handshakes are under way; come again", _SHED)
        if stats.relays_open + len(self._opening) >= self._relays_max:
            stats.refused["full"] += 1
            raise UpgradeError(503, f"this gateway carries {self._relays_max} WebSockets, its bound; come again", _SHED)
        address = self._limits.client(client, head)
        try:
            self._limits.begin(address, self._relays_max)
        except UpgradeError:
            stats.refused["full"] += 1
            raise
        task = asyncio.get_running_loop().create_task(self._open(client, head, upgrade, early, address))
        self._opening.add(task)
        stats.handshakes_pending = len(self._opening)
        task.add_done_callback(self._opened)

    def on_event(self, event: MembershipEvent) -> None:
        """Cut the relays to a node that is gone; one that left in order may say goodbye itself first.

        Those of a static backend that is gone or out, and may be reopened, are led away to others.
        """
        incarnation = event.report.incarnation
        if isinstance(event, MemberLeft):
            if event.cause != "withdrawn":
                self._cut(incarnation)
            elif self._berths.at(incarnation):
                self._cut_later(incarnation)
        elif not self._placer.tickets and event.report.state is not NodeState.ACTIVE:
            for tunnel in self._berths.at(incarnation):
                self._leave_soon(tunnel)

    @property
    def files(self) -> int:
        """How many descriptors are taken, or will be: two for each WebSocket, three while it is between two nodes."""
        stats = self._stats
        return 2 * (stats.relays_open + len(self._opening)) + stats.relays_moving

    def tally(self) -> None:
        """Bring the byte counters up to date, and end the relays that idle too long; call it now and then."""
        now, idle_s = self._placer.clock(), self._config.relay_idle_s
        for tunnel in self._berths:
            if tunnel.count():
                tunnel.heard_at = now
            elif idle_s and now - max(tunnel.heard_at, tunnel.opened_at) > idle_s:
                tunnel.cut(GOING_AWAY, f"nothing was carried for {idle_s:g} s", "idle")

    async def stop(self) -> None:
        """Tell every client 1012, and return when all relays are over: at `stop_deadline_s` the rest is aborted."""
        for task in self._opening:
            task.cancel()
        await asyncio.gather(*self._opening, return_exceptions=True)
        for handle in (*self._farewells.values(), *self._leaving.values()):
            handle.cancel()
        for tunnel in self._berths:
            tunnel.cut(SERVICE_RESTART, "the gateway is stopping", "stop")
        await self._transfers.stop()
        await self._none_left(self._config.stop_deadline_s)
        for tunnel in self._berths:
            tunnel.abort()
        await self._none_left(ABORT_DEADLINE_S)

    async def _none_left(self, deadline_s: float) -> None:
        """Wait until no tunnel is left, or for `deadline_s`."""
        with suppress(TimeoutError):
            await asyncio.wait_for(self._berths.empty.wait(), deadline_s)

    def _cut_later(self, incarnation: Incarnation) -> None:
        def cut() -> None:
            self._farewells.pop(incarnation, None)
            self._cut(incarnation)

        self._farewells[incarnation] = asyncio.get_running_loop().call_later(self._config.farewell_s, cut)

    def _cut(self, incarnation: Incarnation) -> None:
        for tunnel in self._berths.at(incarnation):
            if tunnel.on_move is OnMove.REOPEN:
                self._leave_soon(tunnel)
            else:
                tunnel.cut(SERVICE_RESTART, "node lost", "node_lost")

    def _leave_soon(self, tunnel: Tunnel) -> None:
        """Let `tunnel` leave its backend within the window in which those of a lost one are opened elsewhere."""
        node = self._berths.of(tunnel)
        if tunnel.on_move is not OnMove.REOPEN or tunnel in self._leaving or node is None:
            return

        def is_out() -> bool:
            view = self._placer.view
            out = node.state is not NodeState.ACTIVE or view.nodes.get(node.name) is not node
            return out and bool(view.eligible) and self._berths.of(tunnel) is node

        def leave() -> None:
            del self._leaving[tunnel]
            if is_out():
                tunnel.leave(is_out)

        delay_s = self._rng.uniform(0.0, self._config.reopen_window_s)
        self._leaving[tunnel] = asyncio.get_running_loop().call_later(delay_s, leave)

    def _opened(self, task: asyncio.Task[None]) -> None:
        self._opening.discard(task)
        self._stats.handshakes_pending = len(self._opening)

    async def _open(
        self, client: asyncio.Transport, head: RequestHead, upgrade: Upgrade, early: bytes, address: str
    ) -> None:
        """Open one relay, or answer why not and close the connection."""
        stats = self._stats
        came = ours = False
        try:
            wish = Wish(client, head, upgrade, self._affinity, address)
            async with asyncio.timeout(self._config.handshake_deadline_s):
                place, answer = await self._opener.open(wish)
        except Refusal as error:
            stats.refused["status"] += 1
            self._refuse(client, error.status, carried(error.status, error.body, *error.headers))
        except NoNode as error:
            stats.refused["no_node"] += 1
            self._refuse(client, 503, no_node(error, self._placer.pause_s(error), close=True))
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
            ours = place.held and self._placer.tickets
            came = self._begin(client, wish, place, answer, early)
        finally:
            self._limits.opened(address, came=came, ours=ours)

    def _begin(self, client: asyncio.Transport, wish: Wish, place: Place, answer: Answer, early: bytes) -> bool:
        """Carry the WebSocket from now on; return False where its client has left meanwhile."""
        stats = self._stats
        if client.is_closing():
            stats.refused["gone"] += 1
            self._placer.give_up(place)
            answer.transport.abort()
            return False
        stats.relays_open += 1
        stats.relays_opened += 1
        stats.responses[101] += 1
        extensions = bool(tokens_of(answer.headers, "sec-websocket-extensions"))
        on_move = self._opener.on_move(place.node)
        kept = wish if on_move is not OnMove.CLOSE else None
        tunnel = Tunnel(on_move, kept, self._config, stats, self._transfers, wish.address, extensions=extensions)
        tunnel.opened_at = self._placer.clock()
        self._berths.enter(tunnel, place.node)
        client.write(upgrade_response(answer.headers))
        tunnel.open(client, answer.transport, early, answer.rest)
        return True

    def _refuse(self, client: asyncio.Transport, status: int, whole: bytes) -> None:
        self._stats.responses[status] += 1
        if client.is_closing():
            return
        self._lingering.close_after(client, whole)


def _cause(error: UpgradeError) -> str:
    if isinstance(error, Unreachable):
        return {503: "status", 504: "timeout"}.get(error.status, "unreachable")
    return "answer"

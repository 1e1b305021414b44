"""Opens the next node for tunnels that have left theirs: where a move leads, or another static backend.

A move is tried once: the session is at that node, or nowhere. A backend's loss hits all of its tunnels in one instant,
so each waits a random part of `reopen_window_s` before it is opened elsewhere, and again before each further attempt.
"""

import asyncio
from typing import TYPE_CHECKING

import structlog

from ringway.core.load import NodeLoad
from ringway.errors import NoNode, UpgradeError
from ringway.gateway.config.gateway import GatewayConfig
from ringway.gateway.http.address_limits import AddressLimits
from ringway.gateway.placement.placer import Place, Placer
from ringway.gateway.proxy.opener import Opener, Refusal
from ringway.gateway.proxy.relay import Tunnel
from ringway.gateway.proxy.table import Berths
from ringway.gateway.proxy.upstream import Answer, Unreachable
from ringway.gateway.stats import Stats
from ringway.net.lingering_close import LingeringCloses
from ringway.protocol.move import Move

if TYPE_CHECKING:
    from random import Random

CALM_S = 30.0
"""A tunnel that has been at its node for so long has its attempts again."""

_log = structlog.get_logger()


class Transfers:
    """See the module; the keeper of all tunnels. Owns a task for each that waits for its next node.

    The deadline of these tasks is the tunnel's: when that has passed it is cut, and the task goes with it.
    """

    def __init__(
        self,
        config: GatewayConfig,
        placer: Placer,
        opener: Opener,
        berths: Berths,
        stats: Stats,
        rng: "Random",
        limits: AddressLimits,
    ) -> None:
        self._limits = limits
        self._config = config
        self._placer = placer
        self._opener = opener
        self._berths = berths
        self._stats = stats
        self._rng = rng
        self._left = LingeringCloses(config.move_deadline_s, extends=True)  # connections to nodes
        self._tasks: dict[Tunnel, asyncio.Task[None]] = {}

    async def stop(self) -> None:
        """Open nothing more. The tunnels that wait for it are the owner's to cut."""
        tasks = list(self._tasks.values())
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        self._left.abort()

    # The keeper of tunnels.

    def depart(self, tunnel: Tunnel, move: Move | None, *, planned: bool) -> None:
        """Have the next node asked; `planned`: the old one was left on purpose, at its own moment."""
        left = self._berths.leave(tunnel)
        assert left is not None
        target = self._placer.moved(move.node, move.ticket) if move is not None else None
        if target is not None:
            self._berths.enter(tunnel, target)
        task = asyncio.get_running_loop().create_task(self._carry_on(tunnel, left, move, target, planned=planned))
        self._tasks[tunnel] = task

        def done(_: asyncio.Task[None]) -> None:
            if self._tasks.get(tunnel) is task:
                del self._tasks[tunnel]

        task.add_done_callback(done)

    def part(self, transport: asyncio.Transport, last: bytes) -> None:
        """Take a connection over whose node was left."""
        self._left.close_after(transport, last, end=False)

    def over(self, tunnel: Tunnel) -> None:
        """Forget a tunnel that has ended."""
        self._berths.over(tunnel)
        task = self._tasks.pop(tunnel, None)
        if task is not None:
            task.cancel()
        self._stats.relays_open -= 1
        self._limits.over(tunnel.address)

    # The tasks.

    async def _carry_on(
        self, tunnel: Tunnel, left: NodeLoad, move: Move | None, target: NodeLoad | None, *, planned: bool
    ) -> None:
        try:
            if move is not None:
                await self._follow(tunnel, move, target)
            else:
                await self._reopen(tunnel, left, planned=planned)
        except Exception:
            _log.exception("a websocket was lost by a fault of the gateway")
            tunnel.abort()

    async def _follow(self, tunnel: Tunnel, move: Move, target: NodeLoad | None) -> None:
        """Open the WebSocket of `tunnel` where its session goes on."""
        wish = tunnel.wish
        assert wish is not None
        cause, problem = "unknown", "it is not known, or its ticket is not good"
        if target is not None:
            try:
                answer = await self._opener.follow(wish, target, move.ticket)
            except UpgradeError as error:
                cause, problem = _cause(error), str(error)
            else:
                if tunnel.is_opening:
                    self._stats.moved += 1
                    self._opened(tunnel, target, answer)
                else:
                    answer.transport.abort()
                return
        _log.info("a node did not take a moved websocket over", node=move.node, error=problem)
        self._failed(tunnel, cause)

    async def _reopen(self, tunnel: Tunnel, left: NodeLoad, *, planned: bool) -> None:
        """Open the WebSocket of `tunnel` at another backend than the one that it has `left`, if there is one."""
        wish = tunnel.wish
        assert wish is not None
        if self._placer.clock() - tunnel.opened_at >= CALM_S:
            tunnel.reopenings = 0
        cause = "attempts"
        while tunnel.is_opening and (planned or tunnel.reopenings < self._config.reopen_attempts):
            if not planned:
                tunnel.reopenings += 1
                await asyncio.sleep(self._rng.uniform(0.0, self._config.reopen_window_s))
            planned = False
            try:
                place, answer = await self._opener.reopen(wish, left)
            except (Unreachable, NoNode) as error:
                cause = _cause(error)
            except UpgradeError as error:
                cause = _cause(error)
                break
            else:
                self._reopened(tunnel, place, answer)
                return
        self._failed(tunnel, cause)

    def _reopened(self, tunnel: Tunnel, place: Place, answer: Answer) -> None:
        if not tunnel.is_opening:
            self._placer.give_up(place)
            answer.transport.abort()
            return
        self._stats.reopened += 1
        self._berths.enter(tunnel, place.node)
        tunnel.on_move = self._opener.on_move(place.node)
        self._opened(tunnel, place.node, answer)

    def _opened(self, tunnel: Tunnel, node: NodeLoad, answer: Answer) -> None:
        _log.debug("a websocket goes on at another node", node=node.name)
        tunnel.opened_at = self._placer.clock()
        tunnel.opened(answer)

    def _failed(self, tunnel: Tunnel, cause: str) -> None:
        if tunnel.is_opening:
            tunnel.failed(cause)


def _cause(error: UpgradeError | NoNode) -> str:
    if isinstance(error, NoNode):
        return "no_node"
    if isinstance(error, Refusal):
        return "refused"
    if isinstance(error, Unreachable):
        return {503: "refused", 504: "timeout"}.get(error.status, "unreachable")
    return "answer"

"""Migrations of a gateway's relays: which relays leave their node, and how the next node is opened for each.

A move is tried once: the session is at the node that the move names, or nowhere. The loss of a backend hits all of its
relays in one instant, so each waits a random part of `reopen_window_s` before it is opened elsewhere, and again before
each further attempt.
"""

import asyncio
from typing import TYPE_CHECKING

from ringway.core.load import NodeLoad
from ringway.core.migration import MigrationEvent
from ringway.errors import NoNode, UpgradeError
from ringway.gateway.cluster.backends import OnMove
from ringway.gateway.config.gateway import GatewayConfig
from ringway.gateway.placement.placer import Place, Placer
from ringway.gateway.proxy.migration import Migration, follow_close, leave, reopen
from ringway.gateway.proxy.opener import Opener, Refusal
from ringway.gateway.proxy.relay import Relay
from ringway.gateway.proxy.table import RelayTable
from ringway.gateway.proxy.upstream import Answer, Unreachable
from ringway.gateway.stats import GatewayStats
from ringway.logger import get_logger
from ringway.net.lingering_close import LingeringCloses
from ringway.protocol.move import Move
from ringway.tasks import Tasks
from ringway.types import NodeState

if TYPE_CHECKING:
    from random import Random

CALM_S = 30.0
"""A relay that has been at its node for so long has all of its attempts again."""

_log = get_logger()


class Migrations:
    """The migrations of one gateway. Owns a task for each relay that waits for its next node.

    The deadline of these tasks is the relay's: when that has passed the relay is cut, and its task is cancelled. Also
    owns the connections to nodes that were left: they may still have bytes to write, since what a client sent before it
    went on is the old node's to process.
    """

    def __init__(
        self,
        config: GatewayConfig,
        placer: Placer,
        opener: Opener,
        table: RelayTable,
        stats: GatewayStats,
        rng: "Random",
    ) -> None:
        self._config = config
        self._placer = placer
        self._opener = opener
        self._table = table
        self._stats = stats
        self._rng = rng
        self._left = LingeringCloses(config.move_deadline_s, extends=True)
        self._tasks = Tasks()
        self._task_of: dict[Relay, asyncio.Task[None]] = {}
        self._leaving: dict[Relay, asyncio.TimerHandle] = {}

    @property
    def leaving(self) -> int:
        """How many relays wait for their turn to leave a backend that is out or gone."""
        return len(self._leaving)

    def follow_close(self, relay: Relay) -> bool:
        """Have `relay` go on elsewhere if its node's close frame says so; return True if nothing is left to do."""
        return follow_close(relay, self._config, self)

    def follow_loss(self, relay: Relay) -> bool:
        """Have `relay` go on at another backend after the loss of its own; return True if nothing is left to do."""
        return reopen(relay, self._config, self, MigrationEvent.NODE_LOST)

    def leave_soon(self, relay: Relay) -> None:
        """Let `relay` leave its backend within the window in which those of a lost backend are opened elsewhere."""
        node = self._table.node_of(relay)
        if relay.on_move is not OnMove.REOPEN or relay in self._leaving or node is None:
            return

        def is_out() -> bool:
            view = self._placer.view
            out = node.state is not NodeState.ACTIVE or view.nodes.get(node.name) is not node
            return out and bool(view.eligible) and self._table.node_of(relay) is node

        def leave_now() -> None:
            del self._leaving[relay]
            if is_out():
                leave(relay, self._config, self, is_out)

        delay_s = self._rng.uniform(0.0, self._config.reopen_window_s)
        self._leaving[relay] = asyncio.get_running_loop().call_later(delay_s, leave_now)

    def forget(self, relay: Relay) -> None:
        """Open nothing more for `relay`, which has ended."""
        task = self._task_of.pop(relay, None)
        if task is not None:
            task.cancel()

    async def stop(self) -> None:
        """Lead no relay away, and open nothing more. The relays that wait for a node are the owner's to cut."""
        for handle in self._leaving.values():
            handle.cancel()
        await self._tasks.aclose()
        self._left.abort()

    # What a migration asks.

    def open_next(self, migration: Migration, *, planned: bool) -> None:
        """Open the next node; `planned`: the old one was left on purpose, at its own moment."""
        relay, move = migration.relay, migration.move
        left = self._table.leave(relay)
        assert left is not None
        target = self._placer.moved(move.node, move.ticket) if move is not None else None
        if target is not None:
            self._table.enter(relay, target)
        work = self._carry_on(migration, left, target, planned=planned)
        task = self._task_of[relay] = self._tasks.spawn(work, name="next node of a relay")

        def done(_: asyncio.Task[None]) -> None:
            if self._task_of.get(relay) is task:
                del self._task_of[relay]

        task.add_done_callback(done)

    def close_left(self, transport: asyncio.Transport, last: bytes) -> None:
        """Let the connection to a node that was left linger after `last`: the node ends it, or the deadline."""
        self._left.close_after(transport, last, end=False)

    # The tasks.

    async def _carry_on(self, migration: Migration, left: NodeLoad, target: NodeLoad | None, *, planned: bool) -> None:
        try:
            if migration.move is not None:
                await self._follow(migration, migration.move, target)
            else:
                await self._reopen(migration, left, planned=planned)
        except Exception:
            _log.exception("a websocket was lost by a fault of the gateway")
            migration.relay.abort()

    async def _follow(self, migration: Migration, move: Move, target: NodeLoad | None) -> None:
        """Open the WebSocket where its session goes on."""
        upgrade = migration.relay.upgrade
        assert upgrade is not None
        cause, problem = "unknown", "it is not known, or its ticket is not good"
        if target is not None:
            try:
                answer = await self._opener.follow(upgrade, target, move.ticket)
            except UpgradeError as error:
                cause, problem = _cause(error), str(error)
            else:
                if migration.is_opening:
                    self._stats.moved += 1
                    self._opened(migration, target, answer)
                else:
                    answer.transport.abort()
                return
        _log.info("a node did not take a moved websocket over", node=move.node, error=problem)
        self._failed(migration, cause)

    async def _reopen(self, migration: Migration, left: NodeLoad, *, planned: bool) -> None:
        """Open the WebSocket at another backend than `left`, if there is one."""
        relay, upgrade = migration.relay, migration.relay.upgrade
        assert upgrade is not None
        if self._placer.clock() - relay.opened_at >= CALM_S:
            relay.reopenings = 0
        cause = "attempts"
        while migration.is_opening and (planned or relay.reopenings < self._config.reopen_attempts):
            if not planned:
                relay.reopenings += 1
                await asyncio.sleep(self._rng.uniform(0.0, self._config.reopen_window_s))
            planned = False
            try:
                place, answer = await self._opener.reopen(upgrade, left)
            except (Unreachable, NoNode) as error:
                cause = _cause(error)
            except UpgradeError as error:
                cause = _cause(error)
                break
            else:
                self._reopened(migration, place, answer)
                return
        self._failed(migration, cause)

    def _reopened(self, migration: Migration, place: Place, answer: Answer) -> None:
        if not migration.is_opening:
            self._placer.give_up(place)
            answer.transport.abort()
            return
        self._stats.reopened += 1
        self._table.enter(migration.relay, place.node)
        migration.relay.on_move = self._opener.on_move(place.node)
        self._opened(migration, place.node, answer)

    def _opened(self, migration: Migration, node: NodeLoad, answer: Answer) -> None:
        _log.debug("a websocket goes on at another node", node=node.name)
        migration.relay.opened_at = self._placer.clock()
        migration.on_opened(answer)

    def _failed(self, migration: Migration, cause: str) -> None:
        if migration.is_opening:
            migration.on_failed(cause)


def _cause(error: UpgradeError | NoNode) -> str:
    if isinstance(error, NoNode):
        return "no_node"
    if isinstance(error, Refusal):
        return "refused"
    if isinstance(error, Unreachable):
        return {503: "refused", 504: "timeout"}.get(error.status, "unreachable")
    return "answer"

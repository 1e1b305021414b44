"""Migrations of a gateway's relays: the choice of relays that leave their node, and the opening of the next node.

A move is tried once: the session exists only at the node that the move names. The loss of a backend hits all of its
relays in one instant, so each relay waits a random part of `reopen_window_s` before it is opened at a different
backend, and again before each further attempt.
"""

import asyncio
from collections.abc import Callable
from typing import TYPE_CHECKING

from ringway.core.load import NodeLoad
from ringway.core.migration import MigrationEvent
from ringway.errors import NoNode, UpgradeError
from ringway.gateway.config.gateway import GatewayConfig
from ringway.gateway.placement.placer import Place
from ringway.gateway.placement.placers import Placers
from ringway.gateway.proxy.migration import Migration
from ringway.gateway.proxy.migration_start import follow_close, leave, reopen, send
from ringway.gateway.proxy.opener import Opener, Refusal
from ringway.gateway.proxy.relay import Relay
from ringway.gateway.proxy.send_off import SendOff
from ringway.gateway.proxy.table import RelayTable
from ringway.gateway.proxy.upgrade_request import UpgradeRequest, unpack_request
from ringway.gateway.proxy.upstream import Answer, Unreachable
from ringway.gateway.stats import GatewayStats
from ringway.logger import get_logger
from ringway.net.lingering_close import LingeringCloses
from ringway.protocol.backend import OnMove
from ringway.protocol.move import Move
from ringway.tasks import Tasks
from ringway.types import NodeState

if TYPE_CHECKING:
    from random import Random

CALM_S = 30.0
"""The time at one node after which a relay has all of its attempts again."""

_log = get_logger()


class Migrations:
    """The migrations of one gateway. Owns a task for each relay that waits for its next node.

    The deadline of these tasks is the relay's: when the deadline has passed, the relay is cut, and its task is
    cancelled. Also owns the connections to nodes that were left: they may still have bytes to write, since the old node
    processes all messages that a client sent before the migration.
    """

    def __init__(
        self,
        config: GatewayConfig,
        placers: Placers,
        opener: Opener,
        table: RelayTable,
        stats: GatewayStats,
        rng: "Random",
        on_arrival: Callable[[Relay, Place], None],
    ) -> None:
        self._config = config
        self._placers = placers
        self._opener = opener
        self._table = table
        self._stats = stats
        self._rng = rng
        self._on_arrival = on_arrival
        self._left = LingeringCloses(config.move_deadline_s, extends=True)
        self._tasks = Tasks()
        self._task_of: dict[Relay, asyncio.Task[None]] = {}
        self._leaving: dict[Relay, asyncio.TimerHandle] = {}

    @property
    def leaving(self) -> int:
        """The number of relays that wait for their turn to leave a backend that is out or gone."""
        return len(self._leaving)

    def follow_close(self, relay: Relay) -> bool:
        """Let `relay` go on at the node that its node's close frame names; return True if the close is dealt with."""
        return follow_close(relay, self._config, self)

    def follow_loss(self, relay: Relay) -> bool:
        """Let `relay` go on at a different backend after the loss of its own; return True if the loss is dealt with."""
        return reopen(relay, self._config, self, MigrationEvent.NODE_LOST)

    def leave_soon(self, relay: Relay) -> None:
        """Let `relay` leave its backend within the window that also applies to a lost backend."""
        node = self._table.node_of(relay)
        if relay.on_move is not OnMove.REOPEN or relay in self._leaving or node is None:
            return

        def is_out() -> bool:
            groups = self._placers.groups
            out = node.state is not NodeState.ACTIVE or bool(node.doubt) or groups.nodes.get(node.name) is not node
            if not out or self._table.node_of(relay) is not node:
                return False
            return bool(groups[_request_of(relay).route.group].view.eligible)

        def leave_now() -> None:
            del self._leaving[relay]
            if is_out():
                leave(relay, self._config, self, is_out)

        delay_s = self._rng.uniform(0.0, self._config.reopen_window_s)
        self._leaving[relay] = asyncio.get_running_loop().call_later(delay_s, leave_now)

    def send_off(self, relay: Relay, send_off: SendOff) -> bool:
        """Move `relay` to the backend of `send_off`; return False, without a report, if it may not leave its own."""
        if self._table.node_of(relay) in (None, send_off.target):
            return False
        return send(relay, self._config, self, send_off)

    def forget(self, relay: Relay) -> None:
        """Cancel the opening for `relay`, which has ended."""
        task = self._task_of.pop(relay, None)
        if task is not None:
            task.cancel()

    async def stop(self) -> None:
        """Stop all migrations and openings. The owner cuts the relays that wait for a node."""
        for handle in self._leaving.values():
            handle.cancel()
        await self._tasks.aclose()
        self._left.abort()

    # Requests of a migration.

    def open_next(self, migration: Migration, *, planned: bool) -> None:
        """Open the next node; `planned`: the relay chose the moment of leaving the old node."""
        relay, move = migration.relay, migration.move
        left = self._table.leave(relay)
        assert left is not None
        target = self._placers.moved(left, move.node, move.ticket) if move is not None else None
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
        """Open the WebSocket at its session's next node."""
        upgrade = _request_of(migration.relay)
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
        """Open the WebSocket at a backend other than `left`, if there is one."""
        relay, upgrade = migration.relay, _request_of(migration.relay)
        if self._placers.clock() - relay.opened_at >= CALM_S:
            relay.reopenings = 0
        cause, send_off, why = "attempts", migration.send_off, "moved" if planned else "lost"
        while migration.is_opening and (planned or relay.reopenings < self._config.reopen_attempts):
            if not planned:
                relay.reopenings += 1
                await asyncio.sleep(self._rng.uniform(0.0, self._config.reopen_window_s))
            try:
                if planned and send_off is not None:
                    place, answer = await self._opener.reopen_at(upgrade, send_off.target, left)
                else:
                    place, answer = await self._opener.reopen(upgrade, left, moved=why)
            except (Unreachable, NoNode) as error:
                cause = _cause(error)
            except UpgradeError as error:
                cause = _cause(error)
                break
            else:
                self._reopened(migration, upgrade, place, answer, planned=planned)
                return
            planned = False
        self._failed(migration, cause)

    def _reopened(
        self, migration: Migration, upgrade: UpgradeRequest, place: Place, answer: Answer, *, planned: bool
    ) -> None:
        if not migration.is_opening:
            self._placers.give_up(place)
            answer.transport.abort()
            return
        self._stats.reopened += 1
        self._table.enter(migration.relay, place.node)
        self._on_arrival(migration.relay, place)
        migration.relay.on_move = self._opener.on_move(place.node, upgrade)
        migration.relay.backend = self._opener.backend_of(place.node, upgrade.route)
        migration.relay.came_at = self._placers.clock() if planned else None
        self._opened(migration, place.node, answer)

    def _opened(self, migration: Migration, node: NodeLoad, answer: Answer) -> None:
        _log.debug("a websocket goes on at another node", node=node.name)
        migration.relay.opened_at = self._placers.clock()
        migration.on_opened(answer, node)

    def _failed(self, migration: Migration, cause: str) -> None:
        if migration.is_opening:
            migration.on_failed(cause)


def _request_of(relay: Relay) -> UpgradeRequest:
    assert relay.upgrade is not None
    return unpack_request(relay.upgrade)


def _cause(error: UpgradeError | NoNode) -> str:
    if isinstance(error, NoNode):
        return "no_node"
    if isinstance(error, Refusal):
        return "refused"
    if isinstance(error, Unreachable):
        return {503: "refused", 504: "timeout"}.get(error.status, "unreachable")
    return "answer"

"""Holding of a gateway: its share of every backend of the cluster, which it reports, moves and drains.

A backend is held from its first report on (`core.held_nodes` makes it from the gateways' reports) until no gateway
claims it. If it comes back with a new incarnation, it is held anew.
"""

import asyncio
from collections.abc import Callable, Iterable, Sequence

from ringway.core.group import Groups
from ringway.core.held_nodes import HeldNodes, newest_state
from ringway.core.load import NodeLoad
from ringway.core.membership import MemberJoined, MemberLeft, MembershipEvent
from ringway.errors import EngineError
from ringway.gateway.backends.book import BackendBook
from ringway.gateway.backends.health import HealthChecks
from ringway.gateway.backends.held_backend import HeldBackend, HoldingParts
from ringway.logger import get_logger
from ringway.portions import Portions
from ringway.protocol.backend_share import BackendClaim, BackendShare
from ringway.protocol.expected import ExpectedClient
from ringway.tasks import Tasks
from ringway.types import NodeName, NodeState

_NEWS_SHARE = 0.01
_NEWS_MIN = 5

TICKS_A_TURN = 500
"""The most backends for which time passes in one turn of the event loop: some 5 µs each."""

SHARES_A_TURN = 250
"""The most shares that are made in one turn of the event loop, for a report: some 10 µs each."""

COUNTED_S = 10.0
"""The time after which the place of a client that came is released, if no known report includes the client: opening its
WebSocket has failed, or its gateway has failed."""

_log = get_logger()


class Holding:
    """The shares of one gateway.

    `tell_shown` tells the other gateways which of their expected clients are in a report of this gateway.
    """

    def __init__(
        self,
        parts: HoldingParts,
        held: HeldNodes,
        groups: Groups,
        checks: HealthChecks,
        tell_shown: Callable[[Sequence[str]], None] = lambda ids: None,
    ) -> None:
        self.book = BackendBook(self._set_state, self._holds_any, parts.clock, grouped=parts.settings.grouped)
        self._parts = parts
        self._held = held
        self._groups = groups
        self._checks = checks
        self._clock = parts.clock
        self._backends: dict[NodeName, HeldBackend] = {}
        self._reported: dict[NodeName, BackendShare] = {}
        self._reported_book = -1
        self._tell_shown = tell_shown
        self._ended: dict[str, tuple[float, ExpectedClient]] = {}  # promises, with the times to release their places
        self._arrived: list[str] = []  # promises of other gateways that were kept here since the last report
        self._shown: list[str] = []  # such promises that a report shows
        self._tasks = Tasks()
        self._ticks: Portions[NodeName] = Portions(self._tick_some, TICKS_A_TURN)

    async def stop(self) -> None:
        """Stop carrying out orders."""
        self.book.close()
        self._ticks.drop()
        await self._tasks.aclose()
        for backend in self._backends.values():
            await backend.stop()

    def on_event(self, event: MembershipEvent) -> None:
        """Hold backends that join, and release backends that left. A listener of the directory, after the view."""
        report = event.report
        if not report.is_backend:
            return
        name = report.name
        if isinstance(event, MemberLeft):
            if name in self._backends and self._backends[name].incarnation == report.incarnation:
                self._drop(name)
            return
        if isinstance(event, MemberJoined):
            self._hold(self._groups.nodes[name])
        backend = self._held.backend(name)
        newest = newest_state(self._held.shares(name).values())
        if newest is not None:
            self._backends[name].follow_state(newest)
        if backend is not None and self._checks.checked(name) != backend:
            self._checks.watch(backend)

    def tick(self) -> None:
        """Let time pass; call it every `membership.TICK_S`."""
        now = self._clock()
        self.on_shown([each for each, (until, _) in self._ended.items() if until <= now])
        shown, self._shown = self._shown, []
        if shown:
            self._tell_shown(shown)
        self._ticks.add(self._backends)
        self.book.tick()

    def share_of(self, name: NodeName) -> HeldBackend | None:
        """Return this gateway's share of a backend; None if it is not held."""
        return self._backends.get(name)

    def claims(self) -> dict[NodeName, BackendClaim]:
        """Return the backends that sources here describe, for a report."""
        return self.book.claims()

    async def collect_shares(self) -> dict[NodeName, BackendShare]:
        """Return the shares for a report, as `shares` does; they are made some in each turn of the event loop."""
        arrived, self._arrived = self._arrived, []
        made: dict[NodeName, BackendShare] = {}
        for number, name in enumerate(list(self._backends)):
            if number % SHARES_A_TURN == 0:
                await asyncio.sleep(0)
            backend = self._backends.get(name)
            if backend is not None:
                made[name] = backend.share()
        return self._note_reported(made, arrived)

    def shares(self) -> dict[NodeName, BackendShare]:
        """Return the shares for a report.

        A backend that its source drains from the start is reported as draining before it is held: so no gateway counts
        it as active in between.
        """
        arrived, self._arrived = self._arrived, []
        return self._note_reported({name: backend.share() for name, backend in self._backends.items()}, arrived)

    def _note_reported(self, shares: dict[NodeName, BackendShare], arrived: list[str]) -> dict[NodeName, BackendShare]:
        self._reported = shares
        self._reported_book = self.book.version
        self._shown += arrived
        return {**shares, **self._first_shares()}

    def has_news(self) -> bool:
        """True if a share differs so much from the last report that a report should be sent early."""
        if self._reported_book != self.book.version or self._reported.keys() != self._backends.keys():
            return True
        return any(self._has_news(self._reported[name], backend) for name, backend in self._backends.items())

    def on_arrival(self, node: NodeLoad, *, held: bool, promised: ExpectedClient | None = None) -> None:
        """Count a relay that was opened at `node`; `held` if its place was held here, or it was `promised` a place.

        The next report includes it. So a place that this gateway holds for it is released; if a different gateway holds
        it, that gateway gets a message.
        """
        backend = self._backends.get(node.name)
        if backend is not None and backend.incarnation == node.incarnation:
            backend.count_arrival(held=held)
        if promised is None:
            return
        if promised.gateway == self._parts.gateway:
            self.on_shown([promised.id])
        else:
            self._arrived.append(promised.id)

    def on_sent(self, donor: NodeLoad, target: NodeName, ttl_s: float) -> None:
        """Count a connection that is moved from `donor` to `target`, and hold its place there for up to `ttl_s`."""
        backend = self._backends.get(donor.name)
        if backend is not None:
            backend.sent.count_move(target, ttl_s)

    def on_promise_over(self, client: ExpectedClient) -> None:
        """Record that a client has come, at this gateway or elsewhere; `on_shown` releases its place.

        That happens when a report includes the client, whose WebSocket a busy server may open late: otherwise the
        balancer would see neither place nor client, and send further clients.
        """
        self._ended[client.id] = self._clock() + COUNTED_S, client

    def on_shown(self, ids: Iterable[str]) -> None:
        """Release the places of clients that do not come, or that a report includes now (the next report of this
        gateway counts)."""
        for each in ids:
            if (ended := self._ended.pop(each, None)) is not None:
                self.release(ended[1].donor, ended[1].target)

    def release(self, donor: NodeName, target: NodeName) -> None:
        """Release a place at `target` that is held for a client of `donor`."""
        backend = self._backends.get(donor)
        if backend is not None:
            backend.sent.ledger.release(target)

    def on_outcome(self, target: NodeName, outcome: str) -> None:
        """Count the outcome of a move to `target`: `handed_over`, `reconnected` or `lost`."""
        backend = self._backends.get(target)
        if backend is not None:
            counters = backend.outcomes
            setattr(counters, outcome, getattr(counters, outcome) + 1)

    def _tick_some(self, names: Sequence[NodeName]) -> None:
        for name in names:
            backend = self._backends.get(name)
            if backend is not None:
                backend.tick()

    def _first_shares(self) -> dict[NodeName, BackendShare]:
        """Return the shares of backends that begin with a drain, and are not held yet."""
        shares: dict[NodeName, BackendShare] = {}
        for name, claim in self.book.claims().items():
            incarnation, held = claim.backend.incarnation, self._backends.get(name)
            if held is not None and held.incarnation == incarnation:
                continue
            within_s = self.book.drain_of(name, incarnation)
            if within_s is not None:
                shares[name] = BackendShare(
                    incarnation=incarnation, version=1, state=NodeState.DRAINING, drain_left_s=within_s
                )
        return shares

    def _has_news(self, reported: BackendShare, backend: HeldBackend) -> bool:
        change = abs(backend.counts().connected - reported.connections)
        return (
            change >= max(_NEWS_MIN, _NEWS_SHARE * reported.connections)
            or backend.version != reported.version
            or backend.sent.moved != reported.moved
        )

    def _hold(self, node: NodeLoad) -> None:
        name = node.name
        if name in self._backends:
            self._drop(name)
        backend = self._backends[name] = HeldBackend(node, self._parts)
        within_s = self.book.drain_of(name, node.incarnation)
        if within_s is not None:
            backend.set_state(draining=True, within_s=within_s)
        self._tasks.spawn(self._start(backend), name=f"orders for {name}")

    async def _start(self, backend: HeldBackend) -> None:
        try:
            await backend.start()
        except EngineError as error:
            _log.warning("orders for a backend cannot be received", backend=backend.name, error=str(error))
        if self._backends.get(backend.name) is not backend:
            await backend.stop()

    def _drop(self, name: NodeName) -> None:
        backend = self._backends.pop(name)
        self._checks.forget(name)
        self._tasks.spawn(backend.stop(), name=f"end of orders for {name}")

    def _set_state(self, name: NodeName, draining: bool, within_s: float) -> None:
        backend = self._backends.get(name)
        if backend is not None:
            backend.set_state(draining=draining, within_s=within_s)

    def _holds_any(self, name: NodeName) -> bool:
        node = self._groups.nodes.get(name)
        shares = self._held.shares(name).values()
        return (node is not None and node.load > 0) or any(
            share.connections or share.leaving or share.reserved for share in shares
        )

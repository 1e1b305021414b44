"""The loop: keep the lease, look at the view, plan, order. Decisions are in `core`; here is what happens with them."""

import asyncio
from collections.abc import Callable
from dataclasses import dataclass

import msgspec
import structlog

from ringway.balancer.leadership import Leadership
from ringway.core.balance import BalanceConfig, Plan, Quota, plan_by_key, plan_by_load
from ringway.core.flight import Flight
from ringway.core.load import LoadView
from ringway.core.pace import Pacer, moves_per_s
from ringway.errors import EngineError
from ringway.ports import Engine, Serving
from ringway.protocol.order import (
    BALANCER,
    CountMisplaced,
    Done,
    MoveOrder,
    NodeRequest,
    PlanAnswer,
    QuotaRow,
    decode_node_answer,
    decode_rebalance,
    encode,
    node_address,
)
from ringway.types import NodeName

PERIOD_S = 1.0
ANSWER_S = 2.0

_log = structlog.get_logger(__name__)


@dataclass(slots=True)
class BalancerStats:
    """What the balancer has done, for metrics and the operator."""

    leading: bool = False
    imbalance: float = 0.0
    moves_planned: int = 0
    moves_ordered: int = 0
    orders_failed: int = 0
    reason: str = "not leading"


class Balancer:
    """One gateway's balancer. `keyed` says that the policy places by key; then nodes find their misplaced keys."""

    def __init__(
        self,
        config: BalanceConfig,
        *,
        name: str,
        view: LoadView,
        keyed: bool,
        engine: Engine,
        clock: Callable[[], float],
    ) -> None:
        self.stats = BalancerStats()
        self._config = config
        self._view = view
        self._keyed = keyed
        self._engine = engine
        self._clock = clock
        self._leadership = Leadership(engine.lease, name, config.lease_s, clock)
        self._serving: Serving | None = None
        self._seen_version = -1
        self._changed_at = clock()
        self._counted_version = -1
        self._begin_term()

    def _begin_term(self) -> None:
        self._pacer = Pacer(self._config)
        self._flight = Flight()
        self._finish = 0  # moves of a balance that was begun and shall be finished inside the dead band

    @property
    def leading(self) -> bool:
        """Whether this balancer leads now."""
        return self._leadership.fence is not None

    async def run(self) -> None:
        """Balance until cancelled; then give the lease up."""
        try:
            while True:
                began = self._clock()
                await self._round(began)
                await asyncio.sleep(max(0.05, PERIOD_S - (self._clock() - began)))
        finally:
            await self._stop_serving()
            await self._leadership.resign()

    async def _round(self, now: float) -> None:
        was = self.stats.leading
        fence = await self._leadership.keep()
        self.stats.leading = fence is not None
        if fence is None:
            if was:
                await self._stop_serving()
                self.stats.reason = "not leading"
            return
        try:
            if not was:
                self._begin_term()
                self._serving = await self._engine.bus.serve(BALANCER, self._answer)
            await self._balance(fence, now)
        except EngineError as error:
            _log.warning("a round of balancing failed", error=str(error))

    async def _stop_serving(self) -> None:
        if self._serving is not None:
            serving, self._serving = self._serving, None
            await serving.close()

    async def _balance(self, fence: int, now: float) -> None:
        if self._view.version != self._seen_version:
            self._seen_version = self._view.version
            self._changed_at = now
        plan = await self._plan(now)
        self.stats.imbalance = plan.imbalance
        self.stats.moves_planned = plan.moves
        self.stats.reason = plan.reason
        if now - self._changed_at < self._config.settle_s:
            self.stats.reason = f"waiting for the cluster to settle; {plan.reason}"
            return
        orders = self._pacer.orders(plan, self._connections(), self._accept_per_s(), PERIOD_S)
        if orders:
            _log.info("ordering moves", moves=sum(order.count for order in orders), planned=plan.moves, why=plan.reason)
            await asyncio.gather(*(self._order(order, fence, now) for order in orders))

    async def _plan(self, now: float) -> Plan:
        if self._keyed:
            return await self._plan_by_key()
        standings = self._flight.standings(self._view.nodes.values(), now)
        plan = plan_by_load(standings, self._config)
        if plan.quotas:
            self._finish = self._finish or plan.moves
        elif self._finish:
            plan = plan_by_load(standings, self._config, within_band=True)
            self._finish = self._finish if plan.quotas else 0
        return plan

    async def _plan_by_key(self) -> Plan:
        """Ask the nodes, unless nothing has changed since they last said that nothing is misplaced."""
        if self._counted_version == self._view.version:
            return plan_by_key({})
        ring = self._ring()
        version = self._view.version
        names = list(self._view.nodes)
        answers = await asyncio.gather(*(self._ask(name, CountMisplaced(ring=ring)) for name in names))
        misplaced = {name: answer.misplaced for name, answer in zip(names, answers, strict=True) if answer is not None}
        plan = plan_by_key(misplaced)
        if not plan.quotas and len(misplaced) == len(names):
            self._counted_version = version
        return plan

    async def _order(self, quota: Quota, fence: int, now: float) -> None:
        ring = self._ring() if self._keyed else None
        order = MoveOrder(fence=fence, target=quota.target, count=quota.count, within_s=PERIOD_S, ring=ring)
        if await self._ask(quota.donor, order) is None:
            self.stats.orders_failed += 1
            return
        self._flight.ordered(quota.donor, quota.target, quota.count, now)
        self._finish = max(0, self._finish - quota.count)
        self.stats.moves_ordered += quota.count

    async def _ask(self, node: NodeName, request: NodeRequest) -> Done | None:
        """The node's consent, or None: a node that refuses or is silent is asked again in the next round."""
        try:
            raw = await self._engine.bus.call(node_address(node), encode(request), timeout_s=ANSWER_S)
            answer = decode_node_answer(raw)
        except (EngineError, msgspec.DecodeError) as error:
            _log.warning("a node did not answer", node=node, error=str(error))
            return None
        if isinstance(answer, Done):
            return answer
        _log.warning("a node refused an order", node=node, why=answer.why)
        return None

    async def _answer(self, raw: bytes) -> bytes:
        """Serve `ringway rebalance`: the plan that would balance exactly, and with it the start of doing so."""
        request = decode_rebalance(raw)
        now = self._clock()
        if self._keyed:
            self._counted_version = -1
            plan = await self._plan_by_key()
        else:
            standings = self._flight.standings(self._view.nodes.values(), now)
            plan = plan_by_load(standings, self._config, within_band=True)
            if not request.dry_run:
                self._finish = plan.moves
        rows = tuple(QuotaRow(donor=quota.donor, target=quota.target, count=quota.count) for quota in plan.quotas)
        return encode(
            PlanAnswer(
                quotas=rows,
                reason=plan.reason,
                imbalance=plan.imbalance,
                moves_per_s=moves_per_s(self._connections(), self._config),
                fair=dict(plan.fair),
                load={name: node.load for name, node in self._view.nodes.items()},
            )
        )

    def _ring(self) -> dict[NodeName, float]:
        return {node.name: node.weight for node in self._view.eligible}

    def _connections(self) -> int:
        return sum(node.connections for node in self._view.nodes.values())

    def _accept_per_s(self) -> dict[NodeName, float]:
        nodes = self._view.nodes.values()
        return {node.name: node.report.accept_per_s for node in nodes if node.report and node.report.accept_per_s > 0}

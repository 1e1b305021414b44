"""The loop: keep the lease, look at the view, plan, order. Decisions are in `core`; here is what happens with them."""

import asyncio
from collections.abc import Callable
from dataclasses import dataclass

import msgspec
import structlog

from ringway.balancer.leadership import Leadership
from ringway.core.balance import BalanceConfig, Plan, Quota
from ringway.core.load import LoadView
from ringway.core.pace import moves_per_s
from ringway.core.steering import Steering
from ringway.core.term import Term
from ringway.errors import EngineError
from ringway.ports import Engine, Serving
from ringway.protocol.order import (
    BALANCER,
    CountMisplaced,
    Done,
    MoveOrder,
    NodeRequest,
    Owners,
    PlanAnswer,
    QuotaRow,
    Rebalance,
    decode_balancer_request,
    decode_node_answer,
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
    """One gateway's balancer. Where the policy places by key, nodes find their misplaced keys."""

    def __init__(
        self,
        config: BalanceConfig,
        *,
        name: str,
        view: LoadView,
        steering: Steering,
        engine: Engine,
        clock: Callable[[], float],
    ) -> None:
        self.stats = BalancerStats()
        self._config = config
        self._view = view
        self._steering = steering
        self._engine = engine
        self._clock = clock
        self._leadership = Leadership(engine.lease, name, config.lease_s, clock)
        self._serving: Serving | None = None
        self._begin_term()

    def _begin_term(self) -> None:
        self._term = Term(self._config, self._view)
        self._counted_version = -1

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
            await self._stop_serving()
            if was:
                self.stats.reason = "not leading"
            return
        try:
            if not was:
                self._begin_term()
            if self._serving is None:
                self._serving = await self._engine.bus.serve(BALANCER, self._answer)
            await self._balance(fence, now)
        except EngineError as error:
            _log.warning("a round of balancing failed", error=str(error))

    async def _stop_serving(self) -> None:
        if self._serving is not None:
            serving, self._serving = self._serving, None
            await serving.close()

    async def _balance(self, fence: int, now: float) -> None:
        settling = self._term.settling(now)
        plan = await self._plan_by_key(now) if self._table else self._term.plan(now)
        self.stats.imbalance = plan.imbalance
        self.stats.moves_planned = plan.moves
        self.stats.reason = plan.reason
        if settling:
            self.stats.reason = f"waiting for the cluster to settle; {plan.reason}"
            return
        orders = self._term.orders(plan, PERIOD_S)
        if orders:
            _log.info("ordering moves", moves=sum(order.count for order in orders), planned=plan.moves, why=plan.reason)
            owners = self._owners() if plan.by_key else None
            await asyncio.gather(*(self._order(order, fence, owners, now) for order in orders))

    async def _plan_by_key(self, now: float) -> Plan:
        """Ask the nodes, unless nothing has changed since they last said that nothing is misplaced."""
        if self._counted_version == self._view.version:
            return self._term.plan_by_key({}, now)
        owners = self._owners()
        version = self._view.version
        names = list(self._view.nodes)
        answers = await asyncio.gather(*(self._ask(name, CountMisplaced(owners=owners)) for name in names))
        misplaced = {name: answer.misplaced for name, answer in zip(names, answers, strict=True) if answer is not None}
        if len(misplaced) == len(names) and not any(sum(counts.values()) for counts in misplaced.values()):
            self._counted_version = version
        return self._term.plan_by_key(misplaced, now)

    async def _order(self, quota: Quota, fence: int, owners: Owners | None, now: float) -> None:
        order = MoveOrder(fence=fence, target=quota.target, count=quota.count, within_s=PERIOD_S, owners=owners)
        if await self._ask(quota.donor, order) is None:
            self.stats.orders_failed += 1
            return
        self._term.ordered(quota, now, by_key=owners is not None)
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
        request = decode_balancer_request(raw)
        assert isinstance(request, Rebalance)
        if self._table:
            self._counted_version = -1
            plan = await self._plan_by_key(self._clock())
        else:
            plan = self._term.plan_exactly(self._clock(), begin=not request.dry_run)
        rows = tuple(QuotaRow(donor=quota.donor, target=quota.target, count=quota.count) for quota in plan.quotas)
        return encode(
            PlanAnswer(
                quotas=rows,
                reason=plan.reason,
                imbalance=plan.imbalance,
                moves_per_s=moves_per_s(self._term.connections(), self._config),
                fair=dict(plan.fair),
                load={name: node.load for name, node in self._view.nodes.items()},
            )
        )

    @property
    def _table(self) -> str:
        return self._steering.policy.table

    def _owners(self) -> Owners:
        return Owners(table=self._table, weights={node.name: node.weight_own for node in self._view.eligible})

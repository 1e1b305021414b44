"""Balancer of a gateway: the loop that keeps the lease, plans by the view and orders moves. `core` decides."""

import asyncio
import time
from collections.abc import Callable

from ringway.balancer.keys import MisplacedKeys
from ringway.balancer.leadership import Leadership
from ringway.balancer.nodes import Nodes
from ringway.balancer.operator_api import OperatorApi
from ringway.balancer.stats import BalancerStats
from ringway.core.balance.config import BalanceConfig
from ringway.core.balance.journal import DONE, LEADERSHIP_LOST, SUPERSEDED, Journal
from ringway.core.balance.leader_round import LeaderRound
from ringway.core.balance.plan import Plan, Quota
from ringway.core.balance.stabilisation import Stabilisation
from ringway.core.load import LoadView
from ringway.core.steering import Steering
from ringway.errors import EngineError
from ringway.logger import get_logger
from ringway.ports import Engine, Serving
from ringway.protocol.control import Decision
from ringway.protocol.order import BALANCER, MoveOrder, Owners

PERIOD_S = 1.0

_log = get_logger()


class Balancer:
    """One gateway's balancer. If the policy places by key, nodes find their misplaced keys."""

    def __init__(
        self,
        config: BalanceConfig,
        *,
        name: str,
        view: LoadView,
        steering: Steering,
        engine: Engine,
        clock: Callable[[], float],
        wall: Callable[[], float] = time.time,
    ) -> None:
        self.stats = BalancerStats()
        self._config = config
        self._view = view
        self._steering = steering
        self._engine = engine
        self._nodes = Nodes(engine)
        self._clock = clock
        self._wall = wall
        self._leadership = Leadership(engine.lease, name, config.lease_s, clock)
        self._journal = Journal(name)
        self._settle = Stabilisation()
        self._serving: Serving | None = None
        self._begin_term()

    def _begin_term(self) -> None:
        self._term = LeaderRound(self._config, self._view, self._settle)
        self._keys = MisplacedKeys(self._view, self._steering, self._nodes)
        self._followed = ("", True)  # policy and moving of the directive that was followed last
        self._frozen = ""  # why nobody is moved, as of the last round
        self._begun_at = 0  # how often members had changed when the balance under way was begun

    @property
    def leading(self) -> bool:
        """True if this balancer leads now."""
        return self._leadership.fence is not None

    def decisions(self, count: int) -> tuple[Decision, ...]:
        """Return the newest `count` decisions of this balancer, the newest first."""
        return self._journal.decisions(count, self._clock())

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
        self._settle.observe(self._view.nodes.values(), now)
        fence = await self._leadership.keep_lease()
        self.stats.leading = fence is not None
        if fence is None:
            await self._stop_serving()
            if was:
                self._journal.end_balance(LEADERSHIP_LOST, now)
                self.stats.rest()
            return
        try:
            if not was:
                self._begin_term()
            if self._serving is None:
                self._serving = await self._engine.bus.serve(BALANCER, self._desk().answer)
            await self._balance(fence, now)
        except EngineError as error:
            _log.warning("a round of balancing failed", error=str(error))

    async def _stop_serving(self) -> None:
        if self._serving is not None:
            serving, self._serving = self._serving, None
            await serving.close()

    async def _balance(self, fence: int, now: float) -> None:
        self._follow()
        settling = self._term.settling(now)
        frozen = self._frozen = self._term.frozen(now, self._steering.directive, self._leadership.lag_s)
        if self._steering.policy.table:
            plan = await self._keys.plan(self._term, now, held=settling or bool(frozen))
        else:
            plan = self._term.plan(now)
        self._tell(plan, frozen=frozen, settling=settling)
        self._note(plan, now, frozen=frozen, settling=settling)
        if settling or frozen:
            return
        orders = self._term.orders(plan, PERIOD_S)
        if orders:
            _log.info("ordering moves", moves=sum(order.count for order in orders), planned=plan.moves, why=plan.reason)
            owners = self._keys.owners() if plan.by_key else None
            await asyncio.gather(*(self._order(order, plan, fence, owners, now) for order in orders))

    def _follow(self) -> None:
        """If an operator has changed the policy and wants no moves for it, take the present owners as right."""
        directive = self._steering.directive
        followed = (directive.policy, directive.moving)
        if followed == self._followed:
            return
        self._followed = followed
        if directive.moving:
            self._keys.move()
            self._term.resume()
        else:
            self._keys.stay()
            self._term.rest()

    def _tell(self, plan: Plan, *, frozen: str, settling: bool) -> None:
        stats = self.stats
        stats.imbalance = plan.imbalance
        stats.moves_planned = plan.moves
        stats.reconnect_window_s = self._term.reconnect_window_s()
        stats.reason = plan.reason
        if settling:
            stats.reason = f"waiting for the cluster to settle; {plan.reason}"
        if frozen:
            stats.reason = f"frozen: {frozen}; {plan.reason}"
        if stats.frozen != bool(frozen):
            _log.warning("moves are frozen" if frozen else "moves go on", why=frozen)
        stats.frozen = bool(frozen)

    def _note(self, plan: Plan, now: float, *, frozen: str, settling: bool) -> None:
        """Write down what of the journal's balance under way has become, and what begins."""
        journal, changes = self._journal, self._settle.changes
        if frozen:
            journal.end_balance(f"frozen: {frozen}", now)
        elif self._begun_at != changes:
            journal.end_balance(SUPERSEDED, now)
        elif not plan.quotas and not plan.waiting and not self._term.moves_under_way():
            journal.end_balance(DONE, now)
        if plan.quotas and not settling and not frozen:
            journal.begin(plan, str(self._steering.spec), now, self._wall())
            self._begun_at = changes
        self.stats.balance_s = journal.balance_s

    async def _order(self, quota: Quota, plan: Plan, fence: int, owners: Owners | None, now: float) -> None:
        order = MoveOrder(fence=fence, target=quota.target, count=quota.count, within_s=PERIOD_S, owners=owners)
        if await self._nodes.ask(quota.donor, order) is None:
            self.stats.orders_failed += 1
            return
        self._term.ordered(quota, now, by_key=owners is not None)
        self._journal.ordered(quota.count)
        self.stats.moves_ordered[plan.cause] += quota.count

    def _desk(self) -> OperatorApi:
        return OperatorApi(self._term, self._view, self._engine, self._clock, self._plan_exactly, lambda: self._frozen)

    async def _plan_exactly(self, begin: bool) -> Plan:
        """Return the plan that would balance exactly; with `begin`, the next rounds carry it out."""
        directive = self._steering.directive
        if begin and not directive.moving:
            self._steering.follow(directive.with_policy(directive.policy, moving=True))
            self._follow()
        if not self._steering.policy.table:
            return self._term.plan_exactly(self._clock(), begin=begin)
        self._keys.count_again()
        return await self._keys.plan(self._term, self._clock())

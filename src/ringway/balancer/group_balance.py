"""Balance of one group: plans by the group's view, and orders the moves of its nodes. `core` decides.

The leader balances each group by itself: no group waits for a different group, or gets its clients. Journal and
stabilisation outlive a leadership, the rest begins with it.
"""

import asyncio
import time
from collections.abc import Callable, Iterator
from dataclasses import replace

from ringway.balancer.keys import MisplacedKeys
from ringway.balancer.nodes import Nodes
from ringway.balancer.stats import GroupStats
from ringway.core.balance.config import BalanceConfig
from ringway.core.balance.journal import DONE, LEADERSHIP_LOST, SUPERSEDED, Journal
from ringway.core.balance.leader_round import LeaderRound
from ringway.core.balance.plan import Plan, Quota
from ringway.core.balance.stabilisation import Stabilisation
from ringway.core.group import Group
from ringway.core.move_outcomes import OutcomeCounters
from ringway.logger import get_logger
from ringway.protocol.control import MovePause
from ringway.protocol.order import MoveOrder
from ringway.time_of_day import time_of_day

PERIOD_S = 1.0

_log = get_logger()


class GroupBalance:
    """The balance of `group` at the gateway `gateway`. `numbers` gives the decisions of all groups their numbers.

    `leads` returns True while the balancer of this gateway leads.
    """

    def __init__(
        self,
        group: Group,
        config: BalanceConfig,
        nodes: Nodes,
        gateway: str,
        numbers: Iterator[int],
        clock: Callable[[], float],
        wall: Callable[[], float] = time.time,
        leads: Callable[[], bool] = lambda: True,
    ) -> None:
        self.group = group
        self._stats = GroupStats()
        self.view = group.view
        self._config = config
        self._nodes = nodes
        self._clock = clock
        self._wall = wall
        self.journal = Journal(gateway, group=group.name, numbers=numbers)
        self._settle = Stabilisation()
        self._leads = leads
        self.begin_term()

    def begin_term(self) -> None:
        """Begin a leadership: nothing of an earlier leadership counts."""
        self.term = LeaderRound(self._config, self.view, self._settle, self._time_of)
        self.keys = MisplacedKeys(self.view, self.group.steering)
        self._outcomes = OutcomeCounters()
        self._settling = False
        self._followed = ("", True)  # policy and moving of the directive that was followed last
        self._begun_at = 0  # the number of changes of members at the beginning of the balance under way

    def end_term(self, now: float) -> None:
        """End a leadership: a different balancer leads."""
        self.journal.end_balance(LEADERSHIP_LOST, now)
        self._stats.rest()

    def read_stats(self) -> GroupStats:
        """Return the statistics as of now."""
        if self._leads():
            self._stats.reconnect_window_s = self.term.reconnect_window_s()
        return self._stats

    @property
    def frozen(self) -> str:
        """The reason why moves are forbidden now, in a sentence; empty if they are allowed."""
        return self.term.why_frozen(self.group.steering.decided)

    @property
    def pause(self) -> MovePause | None:
        """The reason why no moves are ordered now; None if they are allowed."""
        if self.frozen:
            return MovePause(group=self.group.name, why=self.frozen, is_frozen=True)
        if not self._settling:
            return None
        changed = self._settle.changes_since(self._settle.changes - 1) or "the members have changed"
        settle_s, now = self._config.settle_s, self._clock()
        at = self._time_of(now - self._settle.waited_s(now) + settle_s)
        why = f"{changed}; moves go on when no member has changed for {settle_s:g} s: at {at}, if none changes before"
        return MovePause(group=self.group.name, why=why, is_frozen=False)

    @property
    def owners(self) -> str:
        """The version of owners by which nodes are to count their misplaced keys; empty: they are not."""
        return self.keys.told if self.group.steering.policy.table else ""

    def settle(self, now: float) -> None:
        """Watch the members; call it about once a second, also while a different gateway leads."""
        self._settle.observe(self.view, now)

    async def round(self, fence: int, engine_lag_s: float, now: float) -> None:
        """Plan, and order the moves of one second. Raise `EngineError` if the engine is away.

        With a thousand nodes each part takes some milliseconds: so each part gets its own turn of the event loop.
        """
        reports = (node.report for node in self.view.nodes.values() if node.report is not None)
        self.journal.add_outcomes(self._outcomes.observe(reports), now)
        self.follow()
        frozen = self.term.frozen(now, self.group.steering.decided, engine_lag_s)
        await asyncio.sleep(0)
        for _ in self.term.observe(now):
            await asyncio.sleep(0)
        await asyncio.sleep(0)
        settling = self._settling = self.term.settling(now)
        if self.group.steering.policy.table:
            plan = self.keys.plan(self.term, now, held=settling or bool(frozen))
        else:
            plan = self.term.plan(now)
        await asyncio.sleep(0)
        self._tell(plan, frozen=frozen, settling=settling)
        self._note(plan, now, frozen=frozen, settling=settling)
        if settling or frozen:
            return
        await asyncio.sleep(0)
        orders = self.term.orders(plan, PERIOD_S)
        if orders:
            _log.info(
                "ordering moves", group=self.group.name, moves=sum(order.count for order in orders), planned=plan.moves,
                why=plan.reason,
            )  # fmt: skip
            owners = self.keys.told if plan.by_key else ""
            await asyncio.gather(*(self._order(order, plan, fence, owners, now) for order in orders))

    def follow(self) -> None:
        """If an operator has changed the policy without moves, accept the present owners as right."""
        directive = self.group.steering.decided
        followed = (directive.policy, directive.moving)
        if followed == self._followed:
            return
        self._followed = followed
        if directive.moving:
            self.keys.move()
            self.term.resume()
        else:
            self.keys.stay()
            self.term.rest()

    async def plan_exactly(self, *, begin: bool) -> Plan:
        """Return the plan that would balance exactly; with `begin`, the next rounds carry it out."""
        if not self.group.steering.policy.table:
            return self.term.plan_exactly(self._clock(), begin=begin)
        return await self.keys.plan_counted(self.term, self._clock())

    def _time_of(self, at: float) -> str:
        return time_of_day(self._wall() + at - self._clock())

    def _tell(self, plan: Plan, *, frozen: str, settling: bool) -> None:
        stats = self._stats
        stats.imbalance = plan.imbalance
        stats.moves_planned = plan.moves
        stats.reason = plan.reason
        if settling:
            stats.reason = f"waiting for the cluster to settle; {plan.reason}"
        if frozen:
            stats.reason = f"frozen: {frozen}; {plan.reason}"
        if stats.frozen != bool(frozen):
            _log.warning("moves are frozen" if frozen else "moves go on", group=self.group.name, why=frozen)
        stats.frozen = bool(frozen)

    def _note(self, plan: Plan, now: float, *, frozen: str, settling: bool) -> None:
        """Record in the journal the end of a balance, or its beginning."""
        journal, changes = self.journal, self._settle.changes
        if frozen:
            journal.end_balance(f"frozen: {frozen}", now)
        elif self._begun_at != changes:
            journal.end_balance(f"{SUPERSEDED}: {self._settle.changes_since(self._begun_at)}", now)
        elif not plan.quotas and not plan.waiting and not self.term.moves_under_way():
            journal.end_balance(DONE, now)
        if plan.quotas and not settling and not frozen:
            journal.begin(plan, str(self.group.steering.spec), now, self._wall())
            self._begun_at = changes
        self._stats.balance_s = journal.balance_s

    async def _order(self, quota: Quota, plan: Plan, fence: int, owners: str, now: float) -> None:
        order = MoveOrder(
            fence=fence,
            target=quota.target,
            count=quota.count,
            within_s=PERIOD_S,
            owners=owners,
            clock_s=self.view.clock_difference_s(quota.donor, quota.target),
        )
        donor = self.view.nodes.get(quota.donor)
        report = donor.report if donor is not None else None
        accepted = await self._nodes.order(report, order) if report is not None else 0
        if accepted < quota.count:
            self._stats.orders_failed += 1
        if accepted:
            self.term.ordered(replace(quota, count=accepted), now, by_key=bool(owners))
            self.journal.ordered(quota.donor, quota.target, accepted)
            self._stats.moves_ordered[plan.cause] += accepted

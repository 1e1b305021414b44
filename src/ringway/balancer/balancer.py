"""Balancer of a gateway: the loop that keeps the lease, and has each group balanced while it leads."""

import asyncio
import itertools
import time
from collections.abc import Callable

from ringway.balancer.group_balance import PERIOD_S, GroupBalance
from ringway.balancer.leadership import Leadership
from ringway.balancer.nodes import Nodes
from ringway.balancer.operator_api import OperatorApi
from ringway.balancer.stats import BalancerStats
from ringway.core.balance.config import BalanceConfig
from ringway.core.group import Groups
from ringway.core.held_nodes import HeldNodes
from ringway.errors import EngineError
from ringway.logger import get_logger
from ringway.ports import Engine, Serving
from ringway.protocol.control import Decision, MovePause, newest
from ringway.protocol.order import BALANCER

_log = get_logger()


class Balancer:
    """One gateway's balancer. It balances each group by itself, also groups that appear later."""

    def __init__(
        self,
        config: BalanceConfig,
        *,
        name: str,
        groups: Groups,
        engine: Engine,
        clock: Callable[[], float],
        wall: Callable[[], float] = time.time,
        proven_fence: Callable[[], int] = lambda: 0,
        why_not: Callable[[], str] = lambda: "",
        is_led: Callable[[], bool] = lambda: True,
        held: HeldNodes | None = None,
    ) -> None:
        self.stats = BalancerStats()
        self._config = config
        self._name = name
        self._groups = groups
        self._engine = engine
        self._nodes = Nodes(engine, held or HeldNodes())
        self._clock = clock
        self._wall = wall
        self._leadership = Leadership(engine.lease, name, config.lease_s, clock, proven_fence, why_not, is_led)
        self._serving: Serving | None = None
        self._numbers = itertools.count(1)
        self.balances: dict[str, GroupBalance] = {}
        """The balance of each group, by its name."""
        self._api = OperatorApi(groups, self.balances, engine, clock, lambda: self.leading)

    @property
    def leading(self) -> bool:
        """True if this balancer leads now."""
        return self._leadership.fence is not None

    @property
    def hindrance(self) -> str:
        """The reason why no believed gateway leads, with the remedy; empty if there is no problem."""
        return self._leadership.hindrance

    @property
    def fence(self) -> int:
        """The fence of this balancer while it leads; otherwise 0."""
        return self._leadership.fence or 0

    @property
    def owners(self) -> dict[str, str]:
        """The versions of owners by which nodes are to count misplaced keys, by group; a group without a version does
        not count."""
        if not self.leading:
            return {}
        return {name: told for name, balance in self.balances.items() if (told := balance.owners)}

    def decisions(self, count: int) -> tuple[Decision, ...]:
        """Return the newest `count` decisions of this balancer, the newest first."""
        now = self._clock()
        decided = (each for balance in self.balances.values() for each in balance.journal.decisions(count, now))
        return tuple(newest(decided, count))

    def pauses(self) -> tuple[MovePause, ...] | None:
        """Return by group why no moves are ordered now; None if this balancer does not lead."""
        if not self.leading:
            return None
        found = (balance.pause for _, balance in sorted(self.balances.items()))
        return tuple(pause for pause in found if pause is not None)

    async def run(self) -> None:
        """Balance until cancelled; then release the lease."""
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
        self._follow_groups(now)
        fence = await self._leadership.keep_lease()
        self.stats.leading = fence is not None
        if fence is None:
            await self._stop_serving()
            if was:
                for balance in self.balances.values():
                    balance.end_term(now)
            return
        if not was:
            for balance in self.balances.values():
                balance.begin_term()
        try:
            if self._serving is None:
                self._serving = await self._engine.bus.serve(BALANCER, self._api.answer)
        except EngineError as error:
            _log.warning("a round of balancing failed", error=str(error))
            return
        await asyncio.gather(*(self._balance(balance, fence, now) for balance in list(self.balances.values())))

    async def _balance(self, balance: GroupBalance, fence: int, now: float) -> None:
        """Balance one group; its failure does not affect the other groups."""
        try:
            await balance.round(fence, self._leadership.lag_s, now)
        except EngineError as error:
            _log.warning("a round of balancing failed", group=balance.group.name, error=str(error))

    def _follow_groups(self, now: float) -> None:
        """Balance the present groups."""
        present = {group.name: group for group in self._groups}
        for name in [name for name, balance in self.balances.items() if present.get(name) is not balance.group]:
            del self.balances[name]
        for name, group in present.items():
            if name not in self.balances:
                self.balances[name] = GroupBalance(
                    group, self._config, self._nodes, self._name, self._numbers, self._clock, self._wall,
                    lambda: self.leading,
                )  # fmt: skip
            self.balances[name].settle(now)

    async def _stop_serving(self) -> None:
        if self._serving is not None:
            serving, self._serving = self._serving, None
            await serving.close()

"""Misplaced keys as nodes have counted them in their reports, as input of `core.balance.keys`.

If an operator has changed the policy without moves, the owners of that moment count as right: `before` holds them, and
only keys whose owner changes after that are misplaced.
"""

import asyncio

from ringway.core.balance.keys import KeyPlanner
from ringway.core.balance.leader_round import LeaderRound
from ringway.core.balance.owner_versions import OwnerVersions
from ringway.core.balance.plan import Plan
from ringway.core.load import LoadView
from ringway.core.steering import Steering
from ringway.protocol.owners import Owners, OwnersAnswer, OwnersRequest
from ringway.types import NodeName

COUNTED_S = 3.0
"""The longest time that operators and draining nodes wait until all nodes have counted."""

_POLL_S = 0.1


class MisplacedKeys:
    """The misplaced keys of one leadership."""

    def __init__(self, view: LoadView, steering: Steering) -> None:
        self._view = view
        self._steering = steering
        self._planner = KeyPlanner(view)
        self._before: dict[NodeName, float] | None = None
        self._versions = OwnerVersions()
        self._version_of: tuple[int, str, str] = (-1, "", "")  # the view's version, the table, and its owners' version
        self.told = ""
        """The version of owners by which nodes are to count now; empty: they are not."""
        self._told_since = 0.0
        self._waiting = 0  # operators that wait for counts

    def stay(self) -> None:
        """Leave all keys at their present nodes; later changes of owners count."""
        self._before = self._planner.weights()
        self._version_of = (-1, "", "")
        self.count_again()

    def move(self) -> None:
        """Move all keys to their owners, also keys whose present node counted as right before."""
        self._before = None
        self._version_of = (-1, "", "")
        self.count_again()

    def count_again(self) -> None:
        """Let the nodes count in the next round, though no member has changed."""
        self._planner.count_again()

    def version(self) -> str:
        """Return the version of the present owners of all keys."""
        table = self._steering.policy.table
        if self._version_of[:2] != (self._view.version, table):
            owners = Owners(table=table, weights=self._planner.weights(), before=self._before)
            self._version_of = (self._view.version, table, self._versions.add(owners))
        return self._version_of[2]

    def answer(self, request: OwnersRequest) -> OwnersAnswer:
        """Return the owners that a node asks for."""
        return self._versions.answer(request)

    def plan(self, leader: LeaderRound, now: float, *, held: bool = False) -> Plan:
        """Return the plan that moves misplaced keys to their owners, and empties draining nodes.

        With `held`, moves are forbidden now: nodes do not count, and no key counts as misplaced.
        """
        if held:
            self.told = self.version() if self._waiting else ""
            return self._planner.plan_held(leader, now)
        if not self._planner.is_due(now):
            self.told = ""
            return self._planner.plan_resting(leader, now)
        if self.told != self.version():
            self.told, self._told_since = self.version(), now
        return self._plan_counted(leader, now, wait=now < self._told_since + COUNTED_S)

    async def plan_counted(self, leader: LeaderRound, now: float) -> Plan:
        """Return this plan when all nodes have counted, or `COUNTED_S` have passed; also if moves are forbidden."""
        self.count_again()
        self._waiting += 1
        try:
            for _ in range(int(COUNTED_S / _POLL_S)):
                self.told = self.version()
                if self._planner.reported_counts(leader, self.told, now)[1]:
                    break
                await asyncio.sleep(_POLL_S)
        finally:
            self._waiting -= 1
        self.told = self.version()
        return self._plan_counted(leader, now)

    def _plan_counted(self, leader: LeaderRound, now: float, *, wait: bool = False) -> Plan:
        counts, complete = self._planner.reported_counts(leader, self.told, now)
        policy, version = self._steering.policy, self._view.version
        wait = wait and not complete
        return self._planner.plan_counted(leader, counts, policy, now, version=version, complete=complete, wait=wait)

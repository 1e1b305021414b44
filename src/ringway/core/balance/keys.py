"""Planner of misplaced keys, for policies that place by key: when nodes count them, and what is moved then.

Nodes count the keys that other nodes own, in each round, until no key is misplaced or the owners have no room. After
that they count again when the members change, and once a minute while some clients may not be moved yet: their keys
are not counted. While nobody may be moved (moves are frozen, or the members have just changed) nobody counts: nothing
could be done about the result.
"""

from collections.abc import Mapping
from dataclasses import replace

from ringway.core.balance.leader_round import LeaderRound
from ringway.core.balance.plan import Plan
from ringway.core.load import LoadView
from ringway.core.placement.keyed import Keyed, room
from ringway.core.placement.policy import Policy
from ringway.types import NodeName

COUNT_AGAIN_S = 60.0

Counts = Mapping[NodeName, Mapping[NodeName, int]]
"""By node, how many of its clients have a key that each other node owns."""


class KeyPlanner:
    """The plans by key of one leadership over `view`. `now` is monotonic."""

    def __init__(self, view: LoadView) -> None:
        self._view = view
        self._rests_at = -1  # the view's version at which nothing was left to do
        self._rests_since = 0.0
        self._at_rest = ""  # the reason of the last plan

    def count_again(self) -> None:
        """Let the nodes count in the next round, though no member has changed."""
        self._rests_at = -1

    def is_due(self, now: float) -> bool:
        """True if the nodes are to count their misplaced keys in this round."""
        return self._rests_at != self._view.version or self._may_have_thawed(now)

    def weights(self) -> dict[NodeName, float]:
        """Return the weights by which keys have owners now."""
        return {node.name: node.weight_own for node in self._view.eligible}

    def plan_held(self, leader: LeaderRound, now: float) -> Plan:
        """Return the plan of a round in which nobody may be moved: no key counts as misplaced."""
        plan = leader.plan_by_key({}, now)
        return plan if plan.quotas else replace(plan, reason="nodes are not asked for misplaced keys meanwhile")

    def plan_resting(self, leader: LeaderRound, now: float) -> Plan:
        """Return the plan of a round that is not due: draining nodes are emptied, and keys stay where they are."""
        plan = leader.plan_by_key({}, now)
        return plan if plan.quotas else replace(plan, reason=self._at_rest)

    def plan_counted(
        self, leader: LeaderRound, counts: Counts, policy: Policy, now: float, *, version: int, complete: bool
    ) -> Plan:
        """Return how misplaced keys come to their owners, and how draining nodes are emptied.

        `version` is that of the view when the nodes were asked; `complete` means that all have answered.
        """
        bound = room(self._view, policy.c) if isinstance(policy, Keyed) else None
        plan = leader.plan_by_key(counts, now, bound)
        if complete and not (plan.by_key and plan.quotas) and not leader.moves_under_way():
            self._rests_at, self._rests_since, self._at_rest = version, now, plan.reason
        return plan

    def _may_have_thawed(self, now: float) -> bool:
        """True if a client that could not be moved at the last count might be moved now."""
        cooling = any(node.report.cooling for node in self._view.nodes.values() if node.report)
        return cooling and now - self._rests_since >= COUNT_AGAIN_S

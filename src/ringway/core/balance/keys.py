"""Planner of misplaced keys, for policies that place by key: when nodes count them, and which moves follow.

Nodes count the keys that other nodes own, once a second, until no key is misplaced or the owners have no room. After
that they count again when the members change, and once a minute while some clients may not be moved yet: the keys of
these clients are not counted. While moves are forbidden (frozen, or the members have just changed) nodes do not count,
since no move could follow.

The leader says in its report by which owners nodes are to count, and nodes say in theirs what they have counted
(PROTOCOL.md P-9.10). A count is of the moment of the report: orders that were given later are subtracted from it.
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
"""By node, the numbers of its clients whose keys other nodes own, by owner."""


class KeyPlanner:
    """The plans by key of one leadership over `view`. `now` is monotonic."""

    def __init__(self, view: LoadView) -> None:
        self._view = view
        self._rests_at = -1  # the view's version at which no move was left
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

    def reported_counts(self, leader: LeaderRound, version: str, now: float) -> tuple[Counts, bool]:
        """Return what the nodes have counted by the owners of `version`, and if all nodes have."""
        under_way = leader.keys_under_way(now)
        counts: dict[NodeName, dict[NodeName, int]] = {}
        for node in self._view.nodes.values():
            if node.report is not None and node.report.counted == version:
                counts[node.name] = {
                    owner: count - under_way.get((node.name, owner), 0)
                    for owner, count in node.report.misplaced.items()
                    if count > under_way.get((node.name, owner), 0)
                }
        return counts, len(counts) == len(self._view.nodes)

    def plan_held(self, leader: LeaderRound, now: float) -> Plan:
        """Return the plan of a round in which moves are forbidden: no key counts as misplaced."""
        plan = leader.plan_by_key({}, now)
        return plan if plan.quotas else replace(plan, reason="nodes are not asked for misplaced keys meanwhile")

    def plan_resting(self, leader: LeaderRound, now: float) -> Plan:
        """Return the plan of a round without counts: draining nodes are emptied, and other keys stay."""
        plan = leader.plan_by_key({}, now)
        return plan if plan.quotas else replace(plan, reason=self._at_rest)

    def plan_counted(
        self,
        leader: LeaderRound,
        counts: Counts,
        policy: Policy,
        now: float,
        *,
        version: int,
        complete: bool,
        wait: bool = False,
    ) -> Plan:
        """Return the plan that moves misplaced keys to their owners, and empties draining nodes.

        `version` is the view's version when the nodes were asked; `complete` means that all nodes have answered.
        With `wait`, the counts that are missing are waited for before draining nodes are emptied.
        """
        bound = room(self._view, policy.c) if isinstance(policy, Keyed) else None
        plan = leader.plan_by_key(counts, now, bound, drains=not wait)
        if not complete and not plan.quotas:
            plan = replace(plan, reason="nodes count their misplaced keys")
        if complete and not (plan.by_key and plan.quotas) and not leader.moves_under_way():
            self._rests_at, self._rests_since, self._at_rest = version, now, plan.reason
        return plan

    def _may_have_thawed(self, now: float) -> bool:
        """True if a client that could not be moved at the last count might be moved now."""
        cooling = any(node.report.cooling for node in self._view.nodes.values() if node.report)
        return cooling and now - self._rests_since >= COUNT_AGAIN_S

"""Misplaced keys, for policies that place by key: nodes are asked for those that others own now.

They are asked in each round until no key is misplaced, or the owners of those that are have no room; then not again
until the members change, or for a minute while some clients may not be moved yet: their keys are not counted. While
moves are frozen, or the members have changed a moment ago, nobody is asked: nothing could be done about the answer.

Where an operator has changed the policy and wants nobody moved for it, the owners of that moment count as right:
`before` holds them, and only keys whose owner changes from then on are misplaced.
"""

import asyncio
from dataclasses import replace

from ringway.balancer.nodes import Nodes
from ringway.core.balance.leader_round import LeaderRound
from ringway.core.balance.plan import Plan
from ringway.core.load import LoadView
from ringway.core.placement.keyed import Keyed, room
from ringway.core.steering import Steering
from ringway.protocol.order import CountMisplaced, Owners
from ringway.types import NodeName

LOOK_AGAIN_S = 60.0


class MisplacedKeys:
    """The misplaced keys of one leadership."""

    def __init__(self, view: LoadView, steering: Steering, nodes: Nodes) -> None:
        self._view = view
        self._steering = steering
        self._nodes = nodes
        self._before: dict[NodeName, float] | None = None
        self._rests_at = -1  # the view's version at which nothing was left to do
        self._rests_since = 0.0
        self._at_rest = ""  # what was the reason for that

    def stay(self) -> None:
        """Leave all keys where they are now; owners that change later count."""
        self._before = self._weights()
        self.look_again()

    def move(self) -> None:
        """Bring all keys to their owners, whatever was right before."""
        self._before = None
        self.look_again()

    def look_again(self) -> None:
        """Ask the nodes in the next round, though no member has changed."""
        self._rests_at = -1

    def owners(self) -> Owners:
        """Whose a key is now."""
        return Owners(table=self._steering.policy.table, weights=self._weights(), before=self._before)

    async def plan(self, term: LeaderRound, now: float, *, held: bool = False) -> Plan:
        """Return how misplaced keys come to their owners, and how draining nodes are emptied.

        With `held`, nobody may be moved now: no node is asked, and no key counts as misplaced.
        """
        if held:
            plan = term.plan_by_key({}, now)
            return plan if plan.quotas else replace(plan, reason="nodes are not asked for misplaced keys meanwhile")
        version = self._view.version
        if self._rests_at == version and not self._may_have_thawed(now):
            plan = term.plan_by_key({}, now)
            return plan if plan.quotas else replace(plan, reason=self._at_rest)
        question = CountMisplaced(owners=self.owners())
        names = list(self._view.nodes)
        answers = await asyncio.gather(*(self._nodes.ask(name, question) for name in names))
        misplaced = {name: answer.misplaced for name, answer in zip(names, answers, strict=True) if answer is not None}
        plan = term.plan_by_key(misplaced, now, self._room())
        if len(misplaced) == len(names) and not (plan.by_key and plan.quotas) and not term.moves_under_way():
            self._rests_at, self._rests_since, self._at_rest = version, now, plan.reason
        return plan

    def _may_have_thawed(self, now: float) -> bool:
        """Whether somebody who could not be moved at the last count might be moved now."""
        cooling = any(node.report.cooling for node in self._view.nodes.values() if node.report)
        return cooling and now - self._rests_since >= LOOK_AGAIN_S

    def _room(self) -> dict[NodeName, int] | None:
        policy = self._steering.policy
        return room(self._view, policy.c) if isinstance(policy, Keyed) else None

    def _weights(self) -> dict[NodeName, float]:
        return {node.name: node.weight_own for node in self._view.eligible}

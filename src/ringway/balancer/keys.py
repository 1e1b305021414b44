"""Counts of misplaced keys, asked of the nodes: the questions to `core.balance.keys`.

If an operator has changed the policy and wants no moves for it, the owners of that moment count as right: `before`
holds them, and only keys whose owner changes from then on are misplaced.
"""

import asyncio

from ringway.balancer.nodes import Nodes
from ringway.core.balance.keys import KeyPlanner
from ringway.core.balance.leader_round import LeaderRound
from ringway.core.balance.plan import Plan
from ringway.core.load import LoadView
from ringway.core.steering import Steering
from ringway.protocol.order import CountMisplaced, Owners
from ringway.types import NodeName


class MisplacedKeys:
    """The misplaced keys of one leadership."""

    def __init__(self, view: LoadView, steering: Steering, nodes: Nodes) -> None:
        self._view = view
        self._steering = steering
        self._nodes = nodes
        self._planner = KeyPlanner(view)
        self._before: dict[NodeName, float] | None = None

    def stay(self) -> None:
        """Leave all keys where they are now; owners that change later count."""
        self._before = self._planner.weights()
        self.count_again()

    def move(self) -> None:
        """Bring all keys to their owners, whatever was right before."""
        self._before = None
        self.count_again()

    def count_again(self) -> None:
        """Ask the nodes in the next round, though no member has changed."""
        self._planner.count_again()

    def owners(self) -> Owners:
        """Return the present owners of all keys, in the form in which nodes are asked."""
        return Owners(table=self._steering.policy.table, weights=self._planner.weights(), before=self._before)

    async def plan(self, leader: LeaderRound, now: float, *, held: bool = False) -> Plan:
        """Return how misplaced keys come to their owners, and how draining nodes are emptied.

        With `held`, nobody may be moved now: no node is asked, and no key counts as misplaced.
        """
        if held:
            return self._planner.plan_held(leader, now)
        if not self._planner.is_due(now):
            return self._planner.plan_resting(leader, now)
        version, names = self._view.version, list(self._view.nodes)
        question = CountMisplaced(owners=self.owners())
        answers = await asyncio.gather(*(self._nodes.ask(name, question) for name in names))
        counts = {name: answer.misplaced for name, answer in zip(names, answers, strict=True) if answer is not None}
        complete = len(counts) == len(names)
        policy = self._steering.policy
        return self._planner.plan_counted(leader, counts, policy, now, version=version, complete=complete)

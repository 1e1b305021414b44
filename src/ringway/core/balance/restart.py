"""Forecast of a rolling restart: the moves of each step, if no client comes or goes during it."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

from ringway.core.balance.config import BalanceConfig
from ringway.core.balance.plan import plan_by_load
from ringway.core.balance.share import NodeSnapshot
from ringway.types import NodeName


@dataclass(frozen=True, slots=True)
class Restart:
    """One step: the connections that leave `node`, by target."""

    node: NodeName
    connections: int
    targets: Mapping[NodeName, int]

    @property
    def homeless(self) -> int:
        """The number of connections for which no node has room."""
        return self.connections - sum(self.targets.values())


def foresee(standings: Sequence[NodeSnapshot], order: Sequence[NodeName], config: BalanceConfig) -> list[Restart]:
    """Return the moves if the nodes of `order` are restarted in sequence, each as soon as possible."""
    nodes = {node.name: node for node in standings}
    steps = []
    for index, name in enumerate(order):
        later = frozenset(order[index + 1 :])
        leaving = replace(nodes[name], active=False, cooling=0)
        others = [replace(node, avoided=node.name in later) for node in nodes.values() if node.name != name]
        plan = plan_by_load([leaving, *others], config)
        targets = {quota.target: quota.count for quota in plan.quotas if quota.donor == name}
        for quota in plan.quotas:
            nodes[quota.donor] = _changed(nodes[quota.donor], -quota.count)
            nodes[quota.target] = _changed(nodes[quota.target], quota.count)
        steps.append(Restart(name, leaving.movable, targets))
        left = nodes[name]
        nodes[name] = replace(left, load=0, movable=0, cooling=0, room=left.room + left.load, active=True)
    return steps


def moves_per_client(steps: Sequence[Restart], standings: Sequence[NodeSnapshot]) -> float:
    """Return how often a client is moved on average."""
    return sum(step.connections - step.homeless for step in steps) / max(1, sum(node.load for node in standings))


def _changed(node: NodeSnapshot, count: int) -> NodeSnapshot:
    return replace(node, load=node.load + count, movable=node.movable + count, room=node.room - count)

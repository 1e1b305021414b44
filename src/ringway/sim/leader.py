"""Balancer of the leading gateway: the product's `LeaderRound`, called each second, and its orders at nodes."""

from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from ringway.core.balance.keys import KeyPlanner
from ringway.core.balance.leader_round import LeaderRound
from ringway.core.balance.plan import Plan, Quota
from ringway.core.hashing import Table, complete, make_table
from ringway.sim.calendar import Ids
from ringway.sim.contender import SECRET
from ringway.sim.owners import hash_keys, owners_of
from ringway.types import NodeName, NodeState

if TYPE_CHECKING:
    from ringway.sim.gateway import SimGateway
    from ringway.sim.node import SimNode
    from ringway.sim.world import SimWorld

ROUND_S = 1.0
NOBODY = -1


class Leader:
    """The balancer of the first gateway, which keeps the lease for the whole run."""

    def __init__(self, world: "SimWorld", gateway: "SimGateway") -> None:
        self.reason = ""
        self._world = world
        self._view = gateway.view
        self._policy = gateway.policy
        self._leader = LeaderRound(world.contender.balance, gateway.view)
        self._planner = KeyPlanner(gateway.view)
        self.key_owners = CrowdOwners(gateway.policy.table, world.crowd.keys) if gateway.policy.table else None
        self._found: dict[tuple[NodeName, NodeName], Ids] = {}  # misplaced clients, by present node and owner

    def round(self) -> None:
        """Plan, and order the moves that are due."""
        world, now = self._world, self._world.now
        settling = self._leader.settling(now)
        frozen = self._leader.frozen(now)
        plan = self._plan_by_key(held=settling or bool(frozen)) if self.key_owners else self._leader.plan(now)
        self.reason = frozen or plan.reason
        if settling or frozen:
            return
        closing: list[Ids] = []
        for quota in self._leader.orders(plan, ROUND_S):
            donor, target = world.by_name[quota.donor], world.by_name[quota.target]
            if not donor.alive:
                continue
            chosen = self._choose(donor, quota, by_key=plan.by_key)
            if len(chosen):
                world.move(chosen, target)
                closing.append(chosen)
                self._leader.ordered(quota, now, by_key=plan.by_key)
        if closing:
            evenly = np.concatenate([np.arange(len(chosen)) / len(chosen) for chosen in closing])
            world.closing.put(np.concatenate(closing), now, ROUND_S * evenly)

    def _plan_by_key(self, *, held: bool) -> Plan:
        """Let the nodes count misplaced keys when the planner asks for it, and return its plan."""
        assert self.key_owners is not None
        leader, planner, view, now = self._leader, self._planner, self._view, self._world.now
        if held:
            return planner.plan_held(leader, now)
        if not view.eligible or not planner.is_due(now):
            return planner.plan_resting(leader, now)
        self.key_owners.update(planner.weights(), self._world.by_name)
        counts = self._count_misplaced()
        return planner.plan_counted(leader, counts, self._policy, now, version=view.version, complete=True)

    def _count_misplaced(self) -> dict[NodeName, dict[NodeName, int]]:
        """Count the clients that are not at the owner of their key and may be moved."""
        assert self.key_owners is not None
        crowd, nodes = self._world.crowd, self._world.nodes
        owners = self.key_owners.owners
        ids = np.flatnonzero((crowd.node >= 0) & (crowd.node != owners) & ~crowd.leaving)
        cool_down_s = np.array([self._cool_down_s(node) for node in nodes])
        ids = ids[crowd.moved_at[ids] + cool_down_s[crowd.node[ids]] <= self._world.now]
        pairs = crowd.node[ids].astype(np.int64) * len(nodes) + owners[ids]
        order = np.argsort(pairs, kind="stable")
        starts = np.flatnonzero(np.diff(pairs[order], prepend=-1))
        self._found = {}
        counted: dict[NodeName, dict[NodeName, int]] = {}
        for pair, those in zip(pairs[order][starts].tolist(), np.split(ids[order], starts[1:]), strict=len(ids) > 0):
            donor, target = nodes[pair // len(nodes)].name, nodes[pair % len(nodes)].name
            self._found[donor, target] = those
            counted.setdefault(donor, {})[target] = len(those)
        return counted

    def _choose(self, donor: "SimNode", quota: Quota, *, by_key: bool) -> Ids:
        """Let `donor` choose clients, which are closed evenly within the round."""
        world = self._world
        if not by_key:
            before = world.now - self._cool_down_s(donor)
            return world.crowd.draw(donor.number, quota.count, donor.connections, before)
        chosen = self._found[quota.donor, quota.target]
        if len(chosen) <= quota.count:
            return chosen
        return world.dice.choice(chosen, quota.count, replace=False)

    def _cool_down_s(self, node: "SimNode") -> float:
        return 0.0 if node.state is NodeState.DRAINING else self._world.scenario.cool_down_s


class CrowdOwners:
    """The owner of each client's key, as the number of a node."""

    def __init__(self, table: str, keys: Ids) -> None:
        self._table: Table = make_table(table, SECRET)
        distinct, self._which = np.unique(keys, return_inverse=True)
        self._hashes = hash_keys([b"%d" % key for key in distinct.tolist()], SECRET)
        self._weights: dict[NodeName, float] = {}
        self.owners: NDArray[np.int32] = np.full(len(keys), NOBODY, np.int32)
        self.changed = 0  # clients whose keys have changed owner since the first update

    def update(self, weights: dict[NodeName, float], nodes: "dict[NodeName, SimNode]") -> None:
        """Set the owners by `weights`."""
        if weights == self._weights:
            return
        self._weights = weights
        complete(self._table, weights)
        numbers = {name: node.number for name, node in nodes.items()}
        owners = [numbers[name] for name in owners_of(self._table, self._hashes).tolist()]
        before, self.owners = self.owners, np.array(owners, np.int32)[self._which]
        self.changed += int(((before != self.owners) & (before != NOBODY)).sum())

"""Baselines without directed moves: each acts when members have changed, or while nodes are full."""

from typing import TYPE_CHECKING

import numpy as np

from ringway.core.load import NodeLoad
from ringway.sim.calendar import Ids
from ringway.sim.placer import key_number
from ringway.types import NodeState

if TYPE_CHECKING:
    from ringway.sim.gateway import SimGateway
    from ringway.sim.world import SimWorld

SHED_ABOVE = 1.02
"""Times the average; a node above it sheds."""

SHED_SHARE_PER_S = 0.005
"""Of its connections, as Piko does by default."""

RESTART_S = 3.0


class Baseline:
    """Replaces the balancer; `round` is called once a second."""

    def __init__(self, world: "SimWorld", gateway: "SimGateway") -> None:
        self.reason = ""
        self._world = world
        self._view = gateway.view
        self._members: list[NodeLoad] = []
        self._numbers = np.array([key_number(b"%d" % key) for key in world.crowd.keys.tolist()], np.uint64)
        self._restarting: float | None = None

    def round(self) -> None:
        """Act in the way of this baseline."""
        way = self._world.contender.baseline
        before, self._members = self._members, list(self._view.eligible)
        changed = bool(before) and [node.name for node in before] != [node.name for node in self._members]
        if way == "restart-all":
            self._restart(changed)
            return
        for node in self._world.nodes:  # a node that stops closes all connections at once
            if node.alive and node.state is NodeState.DRAINING and node.connections:
                self._close(np.flatnonzero(self._world.crowd.node == node.number))
        if way == "modulo" and changed:
            self._close(self._elsewhere())
        elif way == "reconnect-all" and changed:
            self._close(np.flatnonzero(self._world.crowd.node >= 0))
        elif way == "shed":
            self._shed()

    def _elsewhere(self) -> Ids:
        """Return the clients whose node is not the owner of their key."""
        numbers = [self._world.by_name[node.name].number for node in self._members]
        owners = np.array(numbers)[(self._numbers % np.uint64(max(1, len(numbers)))).astype(np.int64)]
        return np.flatnonzero((self._world.crowd.node >= 0) & (self._world.crowd.node != owners))

    def _shed(self) -> None:
        if not self._view.weights:
            return
        average = sum(node.connections for node in self._members) / self._view.weights
        for node in self._members:
            excess = node.connections - SHED_ABOVE * average * node.weight
            if excess > 0:
                held = self._world.by_name[node.name]
                count = min(int(excess) + 1, int(SHED_SHARE_PER_S * held.connections) + 1)
                self._close(self._world.crowd.draw(held.number, count, held.connections, np.inf))

    def _restart(self, changed: bool) -> None:
        """Stop all servers when members have changed, and start them together."""
        world = self._world
        if changed and self._restarting is None:
            self._restarting = world.now + RESTART_S
            for node in world.nodes:
                if node.alive:
                    world.meter.moved(np.flatnonzero(world.crowd.node == node.number))
                    draining = node.state is NodeState.DRAINING
                    world.end_node(node, withdraw=True)
                    node.comes_back = not draining
        elif self._restarting is not None and world.now >= self._restarting:
            self._restarting = np.inf
            for node in world.nodes:
                if node.comes_back:
                    node.comes_back = False
                    world.add_node(node.name)

    def _close(self, ids: Ids) -> None:
        if len(ids):
            self._world.meter.moved(ids)
            self._world.cut_off(ids)

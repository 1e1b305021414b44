"""Measurements while a simulation runs: a row each second, and counts of the whole run."""

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from ringway.sim.calendar import Ids
from ringway.types import NodeState

if TYPE_CHECKING:
    from ringway.sim.crowd import Crowd
    from ringway.sim.node import SimNode

Counts = NDArray[np.int64]


class SimMeter:
    """Counts for one world. Rows have a value for each node, in the order of `nodes`, to which the world appends."""

    def __init__(self, crowd: "Crowd", nodes: "Sequence[SimNode]") -> None:
        self._crowd = crowd
        self._nodes = nodes
        self.times: list[float] = []
        self.connections: list[list[int]] = []
        self.newcomers: list[list[int]] = []  # arrivals at each node by a placement
        self.movers: list[list[int]] = []  # arrivals by an order
        self.refusals: list[list[int]] = []
        self.taking: list[list[bool]] = []  # True for each node that is there and accepts newcomers
        self.moves: list[int] = []  # so far
        self.away: list[int] = []  # clients without a connection
        self.marks: list[tuple[float, str]] = []
        self.turned_away = 0  # requests at a gateway while no node was available
        self.in_vain = 0  # went to a node that was dead
        self.refused_total = 0
        self.moved_total = 0
        self.collateral = 0
        self.moves_most = 0  # of one client
        self._new: Counts = np.zeros(0, np.int64)
        self._by_order: Counts = np.zeros(0, np.int64)
        self._refused: Counts = np.zeros(0, np.int64)
        self._second = 0

    def mark(self, now: float, what: str) -> None:
        """Record an event: from the first event on, results are measured."""
        self.marks.append((now, what))

    def moved(self, ids: Ids) -> None:
        """Count clients that the system moves."""
        crowd = self._crowd
        crowd.moves[ids] += 1
        crowd.disturbed[ids] = True
        self.moved_total += len(ids)
        self.moves_most = max(self.moves_most, int(crowd.moves[ids].max(initial=0)))

    def ended(self, ids: Ids) -> None:
        """Forget clients that left by themselves; their moves stay counted."""
        self._crowd.disturbed[ids] = False

    def offered(self, number: int, by_order: int, count: int) -> None:
        """Count clients that arrive at a node, `by_order` of them with the ticket of a different node."""
        self._grow()
        self._new[number] += count - by_order
        self._by_order[number] += by_order

    def refused(self, number: int, count: int) -> None:
        """Count clients that a node refused."""
        if count:
            self._grow()
            self._refused[number] += count
            self.refused_total += count

    def accepted(self, node: "SimNode", ids: Ids) -> None:
        """Count clients whose handshakes are done; a move from an old node to an old node was for nothing."""
        disturbed = ids[self._crowd.disturbed[ids]]
        if not len(disturbed):
            return
        self._crowd.disturbed[disturbed] = False
        if not node.touched:
            old = np.array([not other.touched for other in self._nodes])
            self.collateral += int(old[self._crowd.came_from[disturbed]].sum())

    def stepped(self, now: float, away: int) -> None:
        """Write a row if a second has passed; `away` clients are on their way to a gateway or a node."""
        if int(now + 1e-6) <= self._second:
            return
        self._second = int(now + 1e-6)
        nodes = self._nodes
        self._grow()
        self.times.append(now)
        self.connections.append([node.connections for node in nodes])
        self.newcomers.append(self._new.tolist())
        self.movers.append(self._by_order.tolist())
        self.refusals.append(self._refused.tolist())
        self.taking.append([node.alive and node.state is NodeState.ACTIVE for node in nodes])
        self.moves.append(self.moved_total)
        self.away.append(away + sum(node.pending for node in nodes))
        for counts in (self._new, self._by_order, self._refused):
            counts[:] = 0

    def _grow(self) -> None:
        more = len(self._nodes) - len(self._new)
        if more:
            self._new = np.pad(self._new, (0, more))
            self._by_order = np.pad(self._by_order, (0, more))
            self._refused = np.pad(self._refused, (0, more))

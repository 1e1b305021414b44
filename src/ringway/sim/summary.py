"""Summary of a run in a few numbers, and its course, second by second, for pictures.

The *minimum* is the least number of connections that must change their node so that each node holds its fair share at
the end. *Disturbed for nothing* (collateral) are moves between two nodes that nothing happened to. *Overshoot* is the
largest excess of a node that joined over its fair share, or of an old node's share over its connections.
"""

import math
from collections.abc import Sequence
from typing import TYPE_CHECKING

import msgspec
import numpy as np
from numpy.typing import NDArray

if TYPE_CHECKING:
    from ringway.sim.world import SimWorld

WITHIN = 0.05
Rows = NDArray[np.float64]


class Course(msgspec.Struct, frozen=True, kw_only=True):
    """The run, second by second: one row for each second, with a number for each node."""

    nodes: list[str]
    joined: list[bool]  # True for each node that started in the course of the run
    weights: list[float]
    handshakes_per_s: list[float]
    times: list[float]
    connections: list[list[int]]
    newcomers: list[list[int]]  # arrivals at each node in that second by a placement
    movers: list[list[int]]  # and by an order to move
    refusals: list[list[int]]
    taking: list[list[bool]]
    moves: list[int]
    away: list[int]
    off: list[float]  # of the node furthest from its fair share: |held / fair - 1|
    marks: list[tuple[float, str]]

    def arrivals(self) -> Rows:
        """Return the arrivals at each node in each second, by placements and by orders."""
        return np.asarray(np.array(self.newcomers, float) + np.array(self.movers, float))


class Summary(msgspec.Struct, frozen=True, kw_only=True):
    """The numbers of one contender. Times count from the first event, in seconds."""

    name: str
    clients: int
    nodes: int
    moves: int
    minimum: int
    moves_per_minimum: float | None
    collateral: int
    moves_per_client: float
    moves_of_one_client_max: int
    max_over_avg_before: float
    max_over_avg_worst: float
    max_over_avg_after: float
    balanced_within_s: float | None  # until all nodes are within 5 % of their share of all clients, and remain so
    overshoot: float
    arrivals_peak_per_s: int  # at the node with the largest ratio to its budget
    budget_per_s: float  # half the handshakes that this node can serve
    peak_over_capacity: float  # arrivals against handshakes a second, at the worst node and second
    refused: int  # handshakes refused, for want of room or time
    in_vain: int  # went to a node that had just died
    turned_away: int  # requests at a gateway while no node was available
    away_peak: int  # clients without a connection, at one time
    away_s: float  # client-seconds without a connection, for each client
    false_deaths: int  # living nodes that gateways counted as dead
    seconds: float
    took_s: float
    course: Course


def summarize(world: "SimWorld", *, minimum: int | None, took_s: float) -> Summary:
    """Return the counts of the meter of `world`."""
    meter = world.meter
    width = len(world.nodes)
    held = _rows(meter.connections, width)
    arrivals = _rows(meter.newcomers, width) + _rows(meter.movers, width)
    weights = np.array([node.weight for node in world.nodes])
    capacity = np.array([node.handshakes_per_s for node in world.nodes])
    taking = _rows(meter.taking, width) > 0
    fair = _fair(held, weights, taking)
    times = np.array(meter.times)
    began = meter.marks[0][0] if meter.marks else 0.0
    at = min(int(np.searchsorted(times, began)), len(times) - 1)
    ratio = np.where(taking & (fair > 0), held / np.maximum(fair, 1e-9), np.nan)
    missing = np.array(meter.away, float)[:, np.newaxis] / np.maximum(held.sum(axis=1, keepdims=True), 1)
    off = np.nanmax(
        np.abs(ratio / (1 + missing) - 1), axis=1, initial=0.0
    )  # of a share of all clients, also the disconnected clients
    high = np.nanmax(ratio, axis=1, initial=0.0)
    joined = np.array([not any(row[:1]) for row in taking.T]) if len(taking) else np.zeros(width, bool)
    if minimum is None:
        minimum = _minimum(held[max(0, at - 1)], fair[-1] if len(fair) else held[0])
    load = arrivals[at:] / capacity
    worst = np.unravel_index(int(load.argmax()), load.shape) if load.size else (0, 0)
    clients = int(held[-1].sum()) + meter.away[-1]
    course = Course(
        nodes=[str(node.name) for node in world.nodes],
        joined=joined.tolist(),
        weights=weights.tolist(),
        handshakes_per_s=capacity.tolist(),
        times=meter.times,
        connections=held.astype(int).tolist(),
        newcomers=_rows(meter.newcomers, width).astype(int).tolist(),
        movers=_rows(meter.movers, width).astype(int).tolist(),
        refusals=_rows(meter.refusals, width).astype(int).tolist(),
        taking=taking.tolist(),
        moves=meter.moves,
        away=meter.away,
        off=[round(float(value), 5) for value in off],
        marks=meter.marks,
    )
    return Summary(
        name=world.contender.name,
        clients=clients,
        nodes=int(taking[-1].sum()),
        moves=meter.moved_total,
        minimum=minimum,
        moves_per_minimum=round(meter.moved_total / minimum, 4) if minimum else None,
        collateral=meter.collateral,
        moves_per_client=round(meter.moved_total / max(1, clients), 4),
        moves_of_one_client_max=meter.moves_most,
        max_over_avg_before=round(float(high[max(0, at - 1)]), 4),
        max_over_avg_worst=round(float(high[at:].max(initial=0.0)), 4),
        max_over_avg_after=round(float(high[-1]), 4),
        balanced_within_s=_balanced_after(times[at:] - began, off[at:]),
        overshoot=_overshoot(held[at:], fair[-1], taking[-1], joined),
        arrivals_peak_per_s=int(arrivals[at:][worst]) if load.size else 0,
        budget_per_s=float(capacity[worst[1]]) / 2,
        peak_over_capacity=round(float(load[worst]), 4) if load.size else 0.0,
        refused=meter.refused_total,
        in_vain=meter.in_vain,
        turned_away=meter.turned_away,
        away_peak=max(meter.away[at:], default=0),
        away_s=round(float(sum(meter.away[at:])) / max(1, clients), 4),
        false_deaths=sum(gateway.deaths for gateway in world.gateways) - world.deaths * len(world.gateways),
        seconds=world.now,
        took_s=round(took_s, 2),
        course=course,
    )


def _rows(rows: Sequence[Sequence[int]], width: int) -> Rows:
    full = np.zeros((len(rows), width))
    for index, row in enumerate(rows):
        full[index, : len(row)] = row
    return full


def _fair(held: Rows, weights: Rows, taking: NDArray[np.bool_]) -> Rows:
    shares = np.where(taking, weights, 0.0)
    total = shares.sum(axis=1, keepdims=True)
    fair: Rows = held.sum(axis=1, keepdims=True) * shares / np.where(total > 0, total, 1.0)
    return fair


def _minimum(before: Rows, fair: Rows) -> int:
    """Return the excess of the fullest nodes over their share at the end, scaled to the number of clients."""
    scale = before.sum() / fair.sum() if fair.sum() else 0.0
    return math.floor(float(np.maximum(before - np.ceil(fair * scale - 1e-6), 0).sum()))


def _balanced_after(times: Rows, off: Rows) -> float | None:
    outside = np.flatnonzero(off > WITHIN)
    if not len(outside):
        return 0.0
    last = int(outside[-1])
    return round(float(times[last + 1]), 1) if last + 1 < len(times) else None


def _overshoot(held: Rows, fair: Rows, taking: NDArray[np.bool_], joined: NDArray[np.bool_]) -> float:
    """The excess of joined nodes over their share of the end, or the lack of old nodes below it."""
    filled = joined & taking
    over = (held[:, filled] / np.maximum(fair[filled], 1) - 1).max(initial=0.0)
    gave = taking & ~joined & (held[0] > fair) & bool(filled.any())
    under = (1 - held[:, gave] / np.maximum(fair[gave], 1)).max(initial=0.0)
    return round(float(max(over, under)), 4)

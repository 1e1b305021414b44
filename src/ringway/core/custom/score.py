"""Scores by external measures: values of nodes, their relation to what is healthy, and a score of that.

A *metric* is measured outside of Ringway (SNMP, HTTP, ...), node by node. Its value is smoothed by an exponential
average of time constant tau, and is divided by its *threshold*, the largest healthy value. The quotient is the node's
**utilisation** by this metric: 1 at the threshold, also for metrics where higher is better. The node's utilisation is
its worst (*bottleneck*: one scarce resource is enough to make a node slow) or the weighted mean of all (*sum*). The
score that operators see is 1 - utilisation.

A value that is missing or older than its expiry is replaced by the **median of the other nodes' values**, never by
zero: a node whose collector fails must count as ordinary. As an idle node it would attract every client (gRFC A58,
tests/unit/core/custom/test_score.py). If no node has a value, the metric is left out.

Each value has the load under which it was measured, smoothed alike: `trim` estimates from it the node's utilisation at
its fair share.
"""

from collections.abc import Collection, Mapping, Sequence
from math import exp, isfinite
from typing import Literal, NamedTuple

import msgspec

from ringway.errors import ConfigError
from ringway.types import NodeName

UTILISATION_MAX = 10.0
"""Bound of the utilisation by one metric: beyond ten times the threshold, more means the same, and 1/0 is finite."""

Blend = Literal["bottleneck", "sum"]


class ExternalMetric(msgspec.Struct, frozen=True, kw_only=True):
    """One external measure; raises `ConfigError` if its numbers contradict each other."""

    name: str
    threshold: float = 1.0
    """The largest healthy value; the smallest, where higher is better."""
    low: float | None = None
    high: float | None = None
    """Watermarks of the gate (`gate`); by default the threshold, and 20 % on the good side of it."""
    better: Literal["lower", "higher"] = "lower"
    weight: float = 1.0
    """The weight in the weighted sum. 0: the metric gates, and does not count in the score."""
    gate: bool = True
    tau_s: float = 10.0
    expire_s: float = 30.0

    def __post_init__(self) -> None:
        problems = [
            f"the {what} of the metric {self.name!r} is {value:g}; it must be {rule}"
            for what, value, right, rule in (
                ("threshold", self.threshold, isfinite(self.threshold) and self.threshold > 0, "a number above 0"),
                ("weight", self.weight, isfinite(self.weight) and self.weight >= 0, "0 or more"),
                ("tau", self.tau_s, isfinite(self.tau_s) and self.tau_s >= 0, "0 or more seconds"),
                ("expire", self.expire_s, isfinite(self.expire_s) and self.expire_s > 0, "above 0 seconds"),
            )
            if not right
        ]
        low, high = self.watermarks
        if not low < high:  # also if one of them is NaN
            problems.append(
                f"the watermarks of the metric {self.name!r} are low={low:g} and high={high:g}; low must be below high"
            )
        if problems:
            raise ConfigError(*problems)

    @property
    def watermarks(self) -> tuple[float, float]:
        """The lower and the upper watermark, as given or by default."""
        if self.better == "lower":
            high = self.threshold if self.high is None else self.high
            return (0.8 * high if self.low is None else self.low), high
        low = self.threshold if self.low is None else self.low
        return low, (1.25 * low if self.high is None else self.high)

    def utilisation(self, value: float) -> float:
        """Return the utilisation of `value`: 1 at the threshold, more is worse."""
        if self.better == "lower":
            return min(max(value, 0.0) / self.threshold, UTILISATION_MAX)
        return min(self.threshold / value, UTILISATION_MAX) if value > 0 else UTILISATION_MAX


class Value(NamedTuple):
    """The value by which a node is judged, for one metric."""

    value: float
    load: float  # connections under which it was measured
    measured: bool  # False: it is the median of the other nodes


class NodeScore(NamedTuple):
    """The measures of one node."""

    values: dict[str, Value]  # by metric; without the metrics that have no value at any node
    utilisation: float | None  # None: unknown
    load: float  # connections under which that utilisation was measured

    @property
    def score(self) -> float | None:
        """1 - utilisation, the free part of a healthy node; None if unknown."""
        return None if self.utilisation is None else 1.0 - self.utilisation


class _Reading:
    """The smoothed value of one metric at one node."""

    __slots__ = ("at", "load", "value")

    def __init__(self, value: float, load: float, at: float) -> None:
        self.value = value
        self.load = load
        self.at = at

    def update(self, value: float, load: float, tau_s: float, now: float) -> None:
        keep = exp(-(now - self.at) / tau_s) if tau_s else 0.0
        self.value = value + keep * (self.value - value)
        self.load = load + keep * (self.load - load)
        self.at = now


class Board:
    """The values of all metrics at all nodes. `now` is monotonic."""

    def __init__(self, metrics: Sequence[ExternalMetric], blend: Blend = "bottleneck") -> None:
        self._metrics = {metric.name: metric for metric in metrics}
        self._blend = blend
        self._readings: dict[str, dict[NodeName, _Reading]] = {metric.name: {} for metric in metrics}

    def read(self, node: NodeName, metric: str, value: float, load: float, now: float) -> None:
        """Record the `value` of `metric` that was measured at `node` under `load` connections. It must be finite."""
        readings = self._readings[metric]
        definition = self._metrics[metric]
        reading = readings.get(node)
        if reading is None or now - reading.at > definition.expire_s:
            readings[node] = _Reading(value, load, now)
        else:
            reading.update(value, load, definition.tau_s, now)

    def forget_others(self, nodes: Collection[NodeName]) -> None:
        """Forget all nodes that are not among `nodes`."""
        for readings in self._readings.values():
            for name in [name for name in readings if name not in nodes]:
                del readings[name]

    def judge(self, loads: Mapping[NodeName, float], now: float) -> dict[NodeName, NodeScore]:
        """Return the score of each node in `loads`, which maps nodes to their present connections."""
        values: dict[NodeName, dict[str, Value]] = {name: {} for name in loads}
        for metric in self._metrics.values():
            fresh = {
                name: reading
                for name, reading in self._readings[metric.name].items()
                if name in loads and now - reading.at <= metric.expire_s
            }
            if not fresh:
                continue
            middle = _median(sorted(reading.value for reading in fresh.values()))
            for name, load in loads.items():
                reading = fresh.get(name)
                values[name][metric.name] = (
                    Value(middle, load, measured=False)
                    if reading is None
                    else Value(reading.value, reading.load, measured=True)
                )
        return {name: self._standing(values[name], load) for name, load in loads.items()}

    def _standing(self, values: dict[str, Value], load: float) -> NodeScore:
        counted = [
            (self._metrics[name].utilisation(value.value), value.load, self._metrics[name].weight)
            for name, value in values.items()
            if self._metrics[name].weight
        ]
        if not counted:
            return NodeScore(values, None, load)
        if self._blend == "bottleneck":
            utilisation, under, _ = max(counted)
            return NodeScore(values, utilisation, under)
        weights = sum(weight for _, _, weight in counted)
        return NodeScore(
            values,
            sum(utilisation * weight for utilisation, _, weight in counted) / weights,
            sum(under * weight for _, under, weight in counted) / weights,
        )


def _median(ordered: Sequence[float]) -> float:
    middle = len(ordered) // 2
    return ordered[middle] if len(ordered) % 2 else (ordered[middle - 1] + ordered[middle]) / 2

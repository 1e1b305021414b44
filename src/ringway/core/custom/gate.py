"""Gates by external measures: nodes that get no newcomers, with hysteresis, and never too many of them.

A node's gate **closes** when a metric passes its bad watermark, and **opens** when all metrics that closed it are past
their good watermark again; between the two nothing changes, so that a value near the threshold does not flap. Present
connections stay: a gate decides about newcomers only.

**Panic.** A gate helps while ungated nodes can serve the newcomers. If more than half of the weight would be gated, the
measure is more likely wrong than all those nodes unfit; or the whole cluster is overloaded, and then gates would send
every client to the few open nodes. So no node is gated, as with reports that are too old (`core.load`). Exactly half is
still gated. The words of agents (drain, maintenance, down: `agent`) are orders and no measures. They are obeyed as long
as at least one node is left, and the half is counted among the nodes that are left.
"""

from collections.abc import Mapping, Sequence

from ringway.core.custom.score import ExternalMetric, NodeScore
from ringway.types import NodeName

GATED_MAX = 0.5
"""The largest part of the weight of all candidates for newcomers that may be gated."""


class Gates:
    """The gates of all nodes. `panic` is True while they are ignored."""

    def __init__(self, metrics: Sequence[ExternalMetric]) -> None:
        self._metrics = [metric for metric in metrics if metric.gate]
        self._closed: dict[tuple[NodeName, str], str] = {}  # the reason, by node and metric
        self.panic = False

    def judge(
        self, standings: Mapping[NodeName, NodeScore], weights: Mapping[NodeName, float], orders: Mapping[NodeName, str]
    ) -> dict[NodeName, str]:
        """Return the nodes that get no newcomers, each with the reason.

        `weights` holds the weights of the active nodes. `orders` holds agents' reasons against nodes.
        """
        self._follow(standings)
        measured: dict[NodeName, str] = {}
        for (name, _), reason in self._closed.items():
            measured.setdefault(name, reason)
        obeyed = {} if weights and all(name in orders for name in weights) else orders
        left = {name: weight for name, weight in weights.items() if name not in obeyed}
        gated = sum(weight for name, weight in left.items() if name in measured)
        heeded = gated <= GATED_MAX * sum(left.values())
        self.panic = not heeded or len(obeyed) < len(orders)
        return {**(measured if heeded else {}), **obeyed}

    def _follow(self, standings: Mapping[NodeName, NodeScore]) -> None:
        """Close and open gates by the values of the moment."""
        closed: dict[tuple[NodeName, str], str] = {}
        for metric in self._metrics:
            low, high = metric.watermarks
            rising = metric.better == "lower"
            for name, standing in standings.items():
                known = standing.values.get(metric.name)
                if known is None:
                    continue
                value, key = known.value, (name, metric.name)
                bad = value > high if rising else value < low
                good = value < low if rising else value > high
                if bad:
                    closed[key] = _reason(metric, value, high if rising else low)
                elif not good and key in self._closed:
                    closed[key] = self._closed[key]
        self._closed = closed


def _reason(metric: ExternalMetric, value: float, mark: float) -> str:
    side = "above" if metric.better == "lower" else "below"
    return f"{metric.name} is {value:.3g}, {side} {mark:g}"

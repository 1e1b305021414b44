"""Metrics of custom load: measuring itself, the measurements of nodes, and their effects."""

from collections.abc import Iterator
from typing import TYPE_CHECKING

from ringway.admin.metric import Sample, Source
from ringway.app.metric import Table, counter, gauge, read_stats

if TYPE_CHECKING:  # a process loads only the components that it runs
    from ringway.collect.poller import Poller

COLLECT: Table = {
    "polls": counter("collect_polls_total", "Measurements of nodes (custom load), by metric.", "metric"),
    "failures": counter("collect_failures_total", "Measurements that failed; the value expires then.", "metric"),
}

COLLECT_VALUE = gauge("collect_value", "Measurement of each node, smoothed; absent after it expired.", "node", "metric")
COLLECT_SCORE = gauge("collect_score", "1 minus the utilisation by measurements; below 0: overload.", "node")
COLLECT_GATED = gauge("collect_gated", "1 while measurements keep newcomers from the node.", "node")
COLLECT_TRIM = gauge("collect_trim_ratio", "Factor by which measurements change the node's weight.", "node")
COLLECT_PANIC = gauge(
    "collect_panic", "1 while gates are ignored, because too much of the weight would be gated.", "group"
)

COLLECTED = (COLLECT_VALUE, COLLECT_SCORE, COLLECT_GATED, COLLECT_TRIM, COLLECT_PANIC)


def read_collected(poller: "Poller") -> Source:
    """Return a source of the measurements of nodes and their effects; empty if nothing is measured."""

    def read() -> Iterator[Sample]:
        for group, custom in list(poller.custom.items()):
            for name, standing in list(custom.standings.items()):
                for metric, value in standing.values.items():
                    if value.measured:
                        yield Sample(COLLECT_VALUE, value.value, (name, metric))
                if standing.score is not None:
                    yield Sample(COLLECT_SCORE, standing.score, (name,))
                yield Sample(COLLECT_GATED, name in custom.gates, (name,))
                yield Sample(COLLECT_TRIM, custom.trims.get(name, 1.0), (name,))
            if custom.standings:
                yield Sample(COLLECT_PANIC, custom.panic, (group,))

    return read


def read_poller(poller: "Poller") -> list[Source]:
    """Return the sources for the measuring, and for the measurements."""
    return [read_stats(poller.stats, COLLECT), read_collected(poller)]

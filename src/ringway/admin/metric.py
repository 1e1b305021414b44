"""Metrics in Prometheus's text format, read from plain counters at each scrape.

Hot paths do nothing for metrics: components count in plain attributes, and a source reads the attributes at the scrape.
"""

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Literal

from prometheus_client import CollectorRegistry, generate_latest
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily
from prometheus_client.process_collector import ProcessCollector
from prometheus_client.registry import Collector

CONTENT_TYPE = "text/plain; version=0.0.4"


@dataclass(frozen=True, slots=True)
class Metric:
    """One metric. A counter's name ends in `_total`; a unit comes before that."""

    name: str
    kind: Literal["counter", "gauge"]
    help: str
    labels: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Sample:
    """One value of a metric, with the values of its labels."""

    metric: Metric
    value: float
    labels: tuple[str, ...] = ()


Source = Callable[[], Iterable[Sample]]
"""Reads the counters of a component. It is called in the event loop at each scrape, so it must be quick."""


class _Samples(Collector):
    def __init__(self, sources: Sequence[Source]) -> None:
        self._sources = sources

    def collect(self) -> Iterator[CounterMetricFamily | GaugeMetricFamily]:
        families: dict[Metric, CounterMetricFamily | GaugeMetricFamily] = {}
        for source in self._sources:
            for sample in source():
                metric = sample.metric
                family = families.get(metric)
                if family is None:
                    kind = CounterMetricFamily if metric.kind == "counter" else GaugeMetricFamily
                    family = families[metric] = kind(metric.name, metric.help, labels=metric.labels)
                family.add_metric(sample.labels, sample.value)
        yield from families.values()

    def describe(self) -> Iterable[CounterMetricFamily | GaugeMetricFamily]:
        return ()  # registering must not read the sources


class Metrics:
    """Renders the samples of `sources`, and the operating system's values of this process."""

    def __init__(self, sources: Sequence[Source]) -> None:
        self._registry = CollectorRegistry()
        self._registry.register(_Samples(sources))
        ProcessCollector(registry=self._registry)

    def render(self) -> bytes:
        """Return all metrics as Prometheus's text format."""
        return generate_latest(self._registry)

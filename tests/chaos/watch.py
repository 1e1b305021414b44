"""Reports of the nodes during a run: samples of `ringway nodes`, from a thread of its own."""

import itertools
import threading
import time
from types import TracebackType
from typing import Any, Self

from report import percentile
from support.system import System

PERIOD_S = 0.5


class Watch:
    """Samples the nodes' reports until the block ends."""

    def __init__(self, system: System) -> None:
        self.samples: list[tuple[float, dict[str, dict[str, Any]]]] = []
        self._system = system
        self._done = threading.Event()
        self._thread = threading.Thread(target=self._run, daemon=True)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, value: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._done.set()
        self._thread.join()

    def _run(self) -> None:
        while not self._done.wait(PERIOD_S):
            try:
                self.samples.append((time.monotonic(), self._system.nodes()))
            except OSError:
                continue  # the gateway is down, on purpose in some scenarios

    def series(self, name: str, field: str) -> list[tuple[float, float]]:
        """The values of one field of one node, with their times."""
        return [(at, nodes[name][field]) for at, nodes in self.samples if name in nodes]

    def names(self) -> list[str]:
        """All nodes of the run, past nodes included."""
        return sorted({name for _, nodes in self.samples for name in nodes})

    def accept_peak(self, name: str) -> float:
        """The highest number of connections a second that a node accepted, over about a second.

        Reports come once a second, and samples more often: so it is computed over two periods of reports.
        """
        points = self.series(name, "accepted")
        peak = 0.0
        for (begin, low), (end, high) in itertools.combinations(points, 2):
            if 1.8 <= end - begin <= 2.6 and high >= low:
                peak = max(peak, (high - low) / (end - begin))
        return peak

    def budget(self, name: str) -> float:
        """The median of the rate that the node reported to accept, in connections a second."""
        said = sorted(value for _, value in self.series(name, "accept_per_s"))
        return said[len(said) // 2] if said else 0.0

    def lag_p99_s(self) -> float:
        """The 99th percentile of the nodes' loop lag, over all reports."""
        lags = sorted(node.get("loop_lag_s", 0.0) for _, nodes in self.samples for node in nodes.values())
        return percentile(lags, 0.99) if lags else 0.0

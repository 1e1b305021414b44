"""Polls of every metric of every node, each in its period, whose values go to the load view (`core.custom.load`).

Each pair of node and metric is a task of its own. Polls are jittered, so that they do not come in step; they have a
deadline below half of the period; and no more than `polls_max` run at the same time. After failures a node is polled
less often, down to once in `BACKOFF_MAX` periods, so that hanging nodes do not use up the places of other nodes. After
a failure the last value is used until it expires. A failure is logged once, and once more when it is over.
"""

import asyncio
import time
from collections import Counter
from collections.abc import Callable, Sequence
from math import isfinite
from typing import TYPE_CHECKING

from ringway.collect.collector import CollectFailed, facts_of
from ringway.collect.config import LoadConfig
from ringway.collect.sources import Probe
from ringway.core.custom.agent import Words
from ringway.core.custom.load import CustomLoad
from ringway.core.group import Groups
from ringway.logger import get_logger
from ringway.types import NodeName

if TYPE_CHECKING:
    from random import Random

TICK_S = 1.0
"""The period of updating the view, and of starting and ending polls of new and gone nodes."""

JITTER = 0.2
BACKOFF_MAX = 4.0
PROBLEM_MAX = 200
"""Characters of a problem that are logged: it may repeat the answer of an unknown server."""

_log = get_logger()


class CollectStats:
    """Counters by metric."""

    __slots__ = ("failures", "polls")

    def __init__(self) -> None:
        self.polls: Counter[str] = Counter()
        self.failures: Counter[str] = Counter()


class Poller:
    """Measures the nodes of `groups` with `probes`; `custom` has the results."""

    def __init__(
        self,
        config: LoadConfig,
        probes: Sequence[Probe],
        groups: Groups,
        rng: "Random",
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self.custom: dict[str, CustomLoad] = {}  # by group
        self._score = config.score
        self.stats = CollectStats()
        self._probes = probes
        self._groups = groups
        self._rng = rng
        self._clock = clock
        self._turns = asyncio.Semaphore(config.polls_max)
        self._tasks: dict[NodeName, list[asyncio.Task[None]]] = {}

    async def run(self) -> None:
        """Poll until cancelled; then end at once, and close the collectors."""
        if not self._probes:
            await asyncio.Event().wait()  # there are no metrics
        try:
            async with asyncio.TaskGroup() as group:
                while True:
                    self._update_polls(group)
                    self._tick()
                    await asyncio.sleep(TICK_S)
        finally:
            for probe in self._probes:
                await probe.collector.close()

    def _tick(self) -> None:
        """Apply what was measured, in each group by itself."""
        for group in self._groups:
            self._custom_of(group.name).tick(group.view, self._clock())
        for name in [name for name in self.custom if name not in self._groups]:
            del self.custom[name]

    def _custom_of(self, group: str) -> CustomLoad:
        custom = self.custom.get(group)
        if custom is None:
            custom = self.custom[group] = CustomLoad([probe.metric for probe in self._probes], self._score)
        return custom

    def _update_polls(self, group: asyncio.TaskGroup) -> None:
        """Start the polls of new nodes, and end those of nodes that have left."""
        for name in [name for name in self._tasks if name not in self._groups.nodes]:
            for task in self._tasks.pop(name):
                task.cancel()
        for name in self._groups.nodes:
            if name not in self._tasks:
                self._tasks[name] = [
                    group.create_task(self._watch(name, probe), name=f"collect {probe.metric.name} of {name}")
                    for probe in self._probes
                ]

    async def _watch(self, name: NodeName, probe: Probe) -> None:
        failures = 0
        await asyncio.sleep(self._rng.uniform(0.0, min(probe.period_s, TICK_S)))
        while True:
            problem = await self._poll(name, probe)
            if problem and not failures:
                _log.warning("a node cannot be measured", node=name, metric=probe.metric.name, problem=problem)
            elif failures and not problem:
                _log.info("a node can be measured again", node=name, metric=probe.metric.name)
            failures = failures + 1 if problem else 0
            pause = probe.period_s * min(2.0 ** max(failures - 2, 0), BACKOFF_MAX)
            await asyncio.sleep(pause * self._rng.uniform(1 - JITTER, 1 + JITTER))

    async def _poll(self, name: NodeName, probe: Probe) -> str:
        """Measure once; return the problem, or an empty text."""
        metric = probe.metric.name
        problem = ""
        async with self._turns:
            node = self._groups.nodes.get(name)
            if node is None:
                return ""  # it has left, and this task is about to be cancelled
            self.stats.polls[metric] += 1
            try:
                async with asyncio.timeout(probe.timeout_s):
                    found = await probe.collector.collect(facts_of(node))
                self._store(name, probe, found)
            except TimeoutError:
                problem = f"no answer within {probe.timeout_s:g} s"
            except asyncio.CancelledError:
                me = asyncio.current_task()
                if me is None or me.cancelling():
                    raise
                problem = "it was cancelled from within"
            except Exception as error:  # collectors run foreign code, which may raise anything
                problem = str(error) if isinstance(error, CollectFailed) else f"{type(error).__name__}: {error}"
        if problem:
            self.stats.failures[metric] += 1
        return problem[:PROBLEM_MAX]

    def _store(self, name: NodeName, probe: Probe, found: float | Words) -> None:
        metric, now = probe.metric.name, self._clock()
        group = self._groups.at(name)
        if group is None:
            return  # it left during the measurement
        node, custom = group.view.nodes[name], self._custom_of(group.name)
        if isinstance(found, Words):
            custom.told(name, metric, found, now)
        elif isfinite(found * probe.scale):
            custom.read(name, metric, found * probe.scale, node.load, now)
        else:
            raise CollectFailed(f"the value is {found}, which is no number")

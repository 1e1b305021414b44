"""Asks for every metric of every node, in its period, and lets the view follow (`core.custom.load`).

Each pair of node and metric is a task of its own. Polls are jittered, so that nothing comes in step; they have a
deadline below half of the period; and no more than `polls_max` run at one time. Whoever fails is asked less often, up
to `BACKOFF_MAX` times the period, so that hanging nodes do not take the turns of the others. A failure leaves the last
value to expire. It is logged once, and once more when it is over.
"""

import asyncio
import time
from collections import Counter
from collections.abc import Callable, Sequence
from math import isfinite
from typing import TYPE_CHECKING

import structlog

from ringway.collect.collector import CollectFailed, facts_of
from ringway.collect.config import LoadConfig
from ringway.collect.sources import Probe
from ringway.core.custom.agent import Words
from ringway.core.custom.load import CustomLoad
from ringway.core.load import LoadView
from ringway.types import NodeName

if TYPE_CHECKING:
    from random import Random

TICK_S = 1.0
"""How often the view follows, and nodes are looked for that came or left."""

JITTER = 0.2
BACKOFF_MAX = 4.0
PROBLEM_MAX = 200
"""Characters of a problem that are logged: collectors repeat what strangers answer."""

_log = structlog.get_logger()


class CollectStats:
    """Plain counters, by metric."""

    __slots__ = ("failures", "polls")

    def __init__(self) -> None:
        self.polls: Counter[str] = Counter()
        self.failures: Counter[str] = Counter()


class Poller:
    """Measures the nodes of `view` with `probes`. `custom` holds what came of it."""

    def __init__(
        self,
        config: LoadConfig,
        probes: Sequence[Probe],
        view: LoadView,
        rng: "Random",
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self.custom = CustomLoad([probe.metric for probe in probes], config.score)
        self.stats = CollectStats()
        self._probes = probes
        self._view = view
        self._rng = rng
        self._clock = clock
        self._turns = asyncio.Semaphore(config.polls_max)
        self._tasks: dict[NodeName, list[asyncio.Task[None]]] = {}

    async def run(self) -> None:
        """Poll until cancelled; then end at once, and release what collectors hold."""
        if not self._probes:
            await asyncio.Event().wait()  # nothing is to be measured
        try:
            async with asyncio.TaskGroup() as group:
                while True:
                    self._follow(group)
                    self.custom.tick(self._view, self._clock())
                    await asyncio.sleep(TICK_S)
        finally:
            for probe in self._probes:
                await probe.collector.close()

    def _follow(self, group: asyncio.TaskGroup) -> None:
        """Begin with nodes that have come, and end with those that have left."""
        for name in [name for name in self._tasks if name not in self._view.nodes]:
            for task in self._tasks.pop(name):
                task.cancel()
        for name in self._view.nodes:
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
        """Measure once; return what was wrong, or nothing."""
        metric = probe.metric.name
        problem = ""
        async with self._turns:
            node = self._view.nodes.get(name)
            if node is None:
                return ""  # it has left: this task is about to be ended
            self.stats.polls[metric] += 1
            try:
                async with asyncio.timeout(probe.timeout_s):
                    found = await probe.collector.collect(facts_of(node))
                self._take(name, probe, found)
            except TimeoutError:
                problem = f"no answer within {probe.timeout_s:g} s"
            except asyncio.CancelledError:
                me = asyncio.current_task()
                if me is None or me.cancelling():
                    raise
                problem = "it was cancelled from within"
            except Exception as error:  # collectors run the code of others: one that fails is a node without a value
                problem = str(error) if isinstance(error, CollectFailed) else f"{type(error).__name__}: {error}"
        if problem:
            self.stats.failures[metric] += 1
        return problem[:PROBLEM_MAX]

    def _take(self, name: NodeName, probe: Probe, found: float | Words) -> None:
        metric, now = probe.metric.name, self._clock()
        node = self._view.nodes.get(name)
        if node is None:
            return  # it left while it was asked
        if isinstance(found, Words):
            self.custom.told(name, metric, found, now)
        elif isfinite(found * probe.scale):
            self.custom.read(name, metric, found * probe.scale, node.load, now)
        else:
            raise CollectFailed(f"the value is {found}, which is no number")

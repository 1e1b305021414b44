"""The poller over time: periods, failures, nodes that come and leave, and its end."""

import asyncio
import math
import random
import time
from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from itertools import pairwise

import pytest

from integration.collect import sample_calls
from integration.collect.kit import PATIENCE_S, eventually
from ringway.collect import poller
from ringway.collect.call import CallCollector
from ringway.collect.collector import CollectFailed, Facts
from ringway.collect.config import LoadConfig
from ringway.collect.poller import Poller
from ringway.collect.sources import Probe
from ringway.core.custom.score import ExternalMetric
from ringway.core.group import Groups
from ringway.protocol.group import CHANNELS
from sample import groups_of, node_report
from support.log_capture import capture_logs

CALLS = "call:integration.collect.sample_calls:"

Polling = Callable[..., AbstractAsyncContextManager[Poller]]


@pytest.fixture
def polling(monkeypatch) -> Polling:
    monkeypatch.setattr(poller, "TICK_S", 0.02)

    @asynccontextmanager
    async def run(probes, groups: Groups, **settings: object) -> AsyncIterator[Poller]:
        made = Poller(LoadConfig(**settings), probes, groups, random.Random(1))
        task = asyncio.create_task(made.run())
        try:
            yield made
            assert not task.done()
        finally:
            task.cancel()
            await asyncio.wait([task], timeout=5)
        assert task.cancelled()
        assert len(asyncio.all_tasks()) == 1

    return run


class Slow:
    """Takes until its deadline, and knows how many do at one time."""

    def __init__(self) -> None:
        self.now = self.most = 0
        self.asked: list[str] = []
        self.closed = False

    async def collect(self, node: Facts) -> float:
        self.asked.append(node.name)
        self.now += 1
        self.most = max(self.most, self.now)
        try:
            await asyncio.Event().wait()
        finally:
            self.now -= 1
        return 0.0

    async def close(self) -> None:
        self.closed = True


def probe(collector, *, period_s: float = 0.05, name: str = "slow") -> Probe:
    return Probe(ExternalMetric(name=name, expire_s=30), collector, period_s, 0.4 * period_s)


def given(*, expire_s: float = 5.0, scale: float = 1.0) -> Probe:
    """What `sample_calls.given` says, often, and with time enough for a busy machine."""
    metric = ExternalMetric(name="cpu", threshold=0.8, tau_s=0.0, expire_s=expire_s)
    return Probe(metric, CallCollector(f"{CALLS}given"), 0.05, PATIENCE_S, scale)


def view(count: int = 3) -> Groups:
    return groups_of({f"n{index}": 1.0 for index in range(count)})


def all_say(value: object, count: int = 3) -> None:
    sample_calls.values.update({f"n{index}": value for index in range(count)})


async def test_values_come_to_gates_and_back(polling):
    nodes = view()
    all_say(20)
    sample_calls.values["n0"] = 90
    async with polling([given(scale=0.01)], nodes) as made:
        await eventually(lambda: nodes.nodes["n0"].barred == "cpu is 0.9, above 0.8")
        assert [node.ready for node in nodes.eligible] == [False, True, True]
        sample_calls.values["n0"] = 70
        polls = made.stats.polls["cpu"]
        await eventually(lambda: made.stats.polls["cpu"] > polls + 9)
        assert nodes.nodes["n0"].barred  # not below the low watermark yet
        sample_calls.values["n0"] = 60
        await eventually(lambda: nodes.nodes["n0"].ready)


@pytest.mark.parametrize(
    ("lie", "problem"),
    [
        (math.nan, "the value is nan, which is no number"),
        (math.inf, "the value is inf, which is no number"),
        ("much", "the function returned no number but str"),
        (None, "no number but NoneType"),
        (True, "no number but bool"),
        (OSError("no sensor"), "OSError: no sensor"),
        (ValueError("x" * 5000), "ValueError: xxx"),
    ],
)
async def test_a_node_that_lies_or_fails_is_ordinary_in_the_end_and_it_is_told_once(polling, lie, problem):
    nodes = view()
    all_say(0.2)
    sample_calls.values["n0"] = 0.9
    with capture_logs() as logs:
        async with polling([given(expire_s=0.5)], nodes) as made:
            await eventually(lambda: nodes.nodes["n0"].barred)
            sample_calls.values["n0"] = lie
            await eventually(lambda: nodes.nodes["n0"].ready)
            assert made.custom[CHANNELS].standings["n0"].values["cpu"][0] == 0.2
            await eventually(lambda: made.stats.failures["cpu"] >= 4)
            sample_calls.values["n0"] = 0.9
            await eventually(lambda: nodes.nodes["n0"].barred)
    told = [entry for entry in logs if "node" in entry]
    assert [(entry["event"], entry["node"]) for entry in told] == [
        ("a node cannot be measured", "n0"),
        ("a node can be measured again", "n0"),
    ]
    assert problem in told[0]["problem"]
    assert len(told[0]["problem"]) <= 200


async def test_who_hangs_takes_no_more_than_its_turns_and_holds_nobody_up(polling):
    slow = Slow()
    all_say(0.9, 40)
    probes = [probe(slow), given()]
    with capture_logs() as logs:
        async with polling(probes, view(40), polls_max=4) as made:
            await eventually(lambda: CHANNELS in made.custom)
            custom = made.custom[CHANNELS]
            await eventually(lambda: len(custom.standings.get("n0", ((),))[0]) == 1)
            await eventually(
                lambda: all("cpu" in it.values and it.values["cpu"].measured for it in custom.standings.values())
            )
            await eventually(lambda: set(slow.asked) == {f"n{index}" for index in range(40)})
    assert slow.most == 4
    assert slow.closed
    assert {entry["problem"] for entry in logs} == {"no answer within 0.02 s"}


async def test_who_fails_is_asked_less_often(polling):
    class Failing(Slow):
        async def collect(self, node: Facts) -> float:
            self.asked.append(node.name)
            if node.name == "n0":
                raise CollectFailed("no")
            return 0.0

    failing = Failing()
    async with polling([probe(failing)], view(2)):
        await eventually(lambda: failing.asked.count("n1") >= 60)
    assert 5 <= failing.asked.count("n0") <= 30


async def test_polls_do_not_come_in_step(polling):
    times: list[float] = []

    class Timed(Slow):
        async def collect(self, node: Facts) -> float:
            times.append(time.monotonic())
            return 0.0

    async with polling([probe(Timed(), period_s=0.2)], view(1)):
        await eventually(lambda: len(times) >= 12)
    pauses = [late - early for early, late in pairwise(times)]
    assert min(pauses) >= 0.8 * 0.2 * 0.95
    assert max(pauses) - min(pauses) > 0.01


async def test_nodes_that_come_are_asked_and_those_that_left_are_not(polling):
    slow, nodes = Slow(), view(1)
    async with polling([probe(slow, period_s=100)], nodes) as made:
        await eventually(lambda: slow.now == 1)
        nodes.reported(node_report("new"), 0.0)
        await eventually(lambda: slow.now == 2)
        nodes.forgotten(nodes.nodes["n0"].report)
        await eventually(lambda: slow.now == 1)
        assert slow.asked == ["n0", "new"]
        assert set(made.custom[CHANNELS].standings) == {"new"}


@pytest.mark.parametrize("function", ["hang", "hang_soon"])
async def test_a_function_that_hangs_holds_up_neither_the_loop_nor_the_end(polling, function):
    all_say(0.2)
    sample_calls.released.clear()
    probes = [probe(CallCollector(f"{CALLS}{function}"), period_s=0.1), given()]
    nodes = view()
    with capture_logs() as logs:
        async with polling(probes, nodes) as made:
            await eventually(lambda: made.stats.failures["slow"] >= 9)
            assert made.stats.polls["cpu"] > made.stats.polls["slow"]
            assert made.custom[CHANNELS].standings["n0"].values.keys() == {"cpu"}
    # `polling` has seen the end by now, while the function still hangs.
    sample_calls.released.set()
    assert {entry["problem"] for entry in logs} == {"no answer within 0.04 s"}


async def test_a_collector_that_is_cancelled_from_within_is_asked_again(polling):
    class Strange(Slow):
        async def collect(self, node: Facts) -> float:
            self.asked.append(node.name)
            raise asyncio.CancelledError

    strange = Strange()
    async with polling([probe(strange)], view(1)) as made:
        await eventually(lambda: len(strange.asked) >= 3)
        assert made.stats.failures["slow"] >= 2


async def test_with_nothing_to_measure_nothing_is_done(polling):
    nodes = view()
    async with polling((), nodes) as made:
        await asyncio.sleep(0.1)
        assert made.custom == {}

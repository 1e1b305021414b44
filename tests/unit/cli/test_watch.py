"""How a drain is watched and shown."""

import asyncio
from types import SimpleNamespace
from typing import Any

import pytest

from ringway.cli.watch import Drained, pace_of, watch_until_empty
from ringway.core.progress import Progress
from ringway.errors import RingwayError
from ringway.member.feed import Feed
from ringway.protocol.report import encode_report
from sample import node_report


def progress(*left: int) -> Progress:
    shown = Progress(left[0], 0.0)
    for second, count in enumerate(left[1:], start=1):
        shown.observe(count, float(second))
    return shown


def test_pace_and_end_are_told() -> None:
    assert pace_of(progress(100, 90, 80)) == "10.0 a second, empty in about 0:08"
    assert pace_of(progress(100_000, 99_990)) == "10.0 a second, empty in about 2:46:39"


def test_a_deadline_is_compared_with_the_end() -> None:
    assert pace_of(progress(100, 90, 80), 20.0) == "10.0 a second, empty in about 0:08, 0:12 before the deadline"
    assert pace_of(progress(100, 90, 80), 5.0) == "10.0 a second, empty in about 0:08, 0:03 after the deadline"


def test_one_that_stands_still_says_so() -> None:
    assert pace_of(progress(100, 100)) == "nobody left lately"
    assert pace_of(progress(100, 100), 61.0) == "nobody left lately; the deadline is in 1:01"


class Watched:
    """A node that reports what the test says, and a watch over it."""

    def __init__(self) -> None:
        self.members = Feed()
        self.seq = 0
        self.engine: Any = SimpleNamespace(up=True)

    def say(self, connections: int, *, draining: bool) -> None:
        self.seq += 1
        report = node_report("n0", self.seq, draining=draining, connections=connections)
        self.members.on_report(report.name, encode_report(report))

    async def watch(self) -> Drained:
        return await watch_until_empty(self.engine, self.members, "n0", quiet=True)


async def test_a_node_is_not_empty_before_it_drains() -> None:
    """Others may send clients until they have heard."""
    watched = Watched()
    watched.say(0, draining=False)
    watching = asyncio.ensure_future(watched.watch())
    await asyncio.sleep(0.4)
    assert not watching.done()
    watched.say(3, draining=True)
    await asyncio.sleep(0.4)
    assert not watching.done()
    watched.say(0, draining=True)
    drained = await asyncio.wait_for(watching, 10)
    assert (drained.connections, drained.moved) == (0, 3)


async def test_one_that_is_taken_back_or_goes_away_is_told() -> None:
    watched = Watched()
    watched.say(3, draining=True)
    watching = asyncio.ensure_future(watched.watch())
    await asyncio.sleep(0.1)
    watched.say(2, draining=False)
    with pytest.raises(RingwayError, match="n0 was taken back meanwhile, with 2 connections on it"):
        await asyncio.wait_for(watching, 10)
    watched.say(2, draining=True)
    watching = asyncio.ensure_future(watched.watch())
    await asyncio.sleep(0.1)
    watched.members.on_report(node_report("n0").name, None)
    with pytest.raises(RingwayError, match="n0 has gone, with 2 connections"):
        await asyncio.wait_for(watching, 10)

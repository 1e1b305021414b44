"""The watch of a drain, and its output."""

import asyncio
from types import SimpleNamespace
from typing import Any

import pytest

from ringway.cli import watch
from ringway.cli.watch import Drained, outcomes_in_words, pace_of, watch_until_empty
from ringway.core.move_outcomes import MoveOutcomes
from ringway.core.progress import Progress
from ringway.core.report_reader import MemberLeaves
from ringway.engine.memory.engine import MemoryHub
from ringway.errors import RingwayError
from ringway.member.feed import Feed
from ringway.protocol.control import GATEWAYS, MovePause, NodeProblems, encode
from ringway.types import NodeName
from sample import gateway_report, node_report


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

    def say(self, connections: int, *, draining: bool, **more: Any) -> None:
        self.seq += 1
        report = node_report("n0", self.seq, draining=draining, connections=connections, **more)
        self.members.add_report(report)

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
    watched.members.remove_member(MemberLeaves(node_report("n0").name, node_report("n0").incarnation))
    with pytest.raises(RingwayError, match="n0 has gone, with 2 connections"):
        await asyncio.wait_for(watching, 10)


async def test_a_backend_of_which_no_gateway_is_heard_was_not_taken_back_and_is_not_empty() -> None:
    watched = Watched()
    watched.say(3, draining=True, is_backend=True, holders=("g1",))
    watching = asyncio.ensure_future(watched.watch())
    await asyncio.sleep(0.1)
    for draining in (False, True):
        watched.say(0, draining=draining, is_backend=True)
        await asyncio.sleep(0.4)
        assert not watching.done()
    watched.say(0, draining=True, is_backend=True, holders=("g1",))
    assert (await asyncio.wait_for(watching, 10)).moved == 3


async def test_a_node_that_is_not_heard_for_a_moment_is_waited_for() -> None:
    watched = Watched()
    watched.say(3, draining=True)
    watching = asyncio.ensure_future(watched.watch())
    await asyncio.sleep(0.1)
    watched.members.remove_member(MemberLeaves(node_report("n0").name, node_report("n0").incarnation))
    await asyncio.sleep(0.6)
    assert not watching.done()
    watched.seq += 1  # the report after the last may have been under way
    watched.say(0, draining=True)
    assert (await asyncio.wait_for(watching, 10)).moved == 3


async def test_a_node_that_comes_back_in_another_life_has_gone() -> None:
    watched = Watched()
    watched.say(3, draining=True)
    watching = asyncio.ensure_future(watched.watch())
    await asyncio.sleep(0.1)
    watched.members.remove_member(MemberLeaves(node_report("n0").name, node_report("n0").incarnation))
    await asyncio.sleep(0.3)
    watched.members.add_report(node_report("n0", life=2))
    with pytest.raises(RingwayError, match="n0 has gone, with 3 connections"):
        await asyncio.wait_for(watching, 10)


async def test_what_became_of_the_moved_is_told_once_it_is_reported() -> None:
    watched = Watched()
    watched.members.add_report(node_report("n1", 1, handed_over=5))
    watched.say(3, draining=True)
    watching = asyncio.ensure_future(watched.watch())
    await asyncio.sleep(0.1)
    watched.say(0, draining=True)
    await asyncio.sleep(0.4)
    assert not watching.done(), "the target has not reported"
    watched.members.add_report(node_report("n1", 2, handed_over=7, reconnected=1))
    drained = await asyncio.wait_for(watching, 10)
    assert drained.outcomes == MoveOutcomes(handed_over=2, reconnected=1)


async def test_one_that_stands_still_names_the_reason(monkeypatch, capsys) -> None:
    monkeypatch.setattr(watch, "STILL_S", 0.1)
    watched, hub = Watched(), MemoryHub()
    watched.engine = hub.open()
    watched.members.add_report(gateway_report("gateway-1"))
    frozen = MovePause(group="channels", why="an operator has frozen it: a deploy", is_frozen=True)
    other = MovePause(group="chat", why="b joined", is_frozen=False)

    async def answer(_: bytes) -> bytes:
        return encode(NodeProblems(gateway=NodeName("gateway-1"), pauses=(frozen, other)))

    await hub.open().bus.serve(GATEWAYS, answer)
    watched.say(3, draining=True)
    watching = asyncio.ensure_future(watched.watch())
    said = ""
    async with asyncio.timeout(10):
        while "\n" not in said:
            await asyncio.sleep(0.1)
            said += capsys.readouterr().err
    assert said == (
        "nobody has left n0 for 0.1 s. Moves are frozen: an operator has frozen it: a deploy. `ringway unfreeze` lets "
        "them go on.\n"
    )
    watched.say(0, draining=True)
    await asyncio.wait_for(watching, 10)


def test_outcomes_are_told_in_words() -> None:
    assert outcomes_in_words(MoveOutcomes(), 0) == ""
    assert outcomes_in_words(MoveOutcomes(2, 1), 3) == ": 2 handed over, 1 reconnected"
    assert outcomes_in_words(MoveOutcomes(2), 3) == (
        ": 2 handed over; of 1 nothing is known: they ended by themselves, or are on their way"
    )

"""Arguments of `ringway roll`, and its output before it begins."""

import asyncio
import sys
from collections.abc import Sequence
from types import SimpleNamespace
from typing import cast

import pytest

from ringway.cli.cluster import Access, wait_for_node
from ringway.cli.duration import read_pause
from ringway.cli.roll import Roll, choose_nodes, left_draining, read_command, run_command
from ringway.cli.watch import Drained
from ringway.errors import ConfigError, RingwayError
from ringway.member.feed import Feed
from ringway.protocol.report import Report
from ringway.types import NodeName
from sample import gateway_report, node_report


def members(*names: str) -> Feed:
    heard = Feed()
    for name in names:
        report = gateway_report(name) if name.startswith("gateway") else node_report(name)
        heard.add_report(report)
    return heard


def test_the_words_of_a_command_are_those_of_a_shell_without_one() -> None:
    assert read_command("env A='b c' restart-{node} --x={node}") == ["env", "A=b c", "restart-{node}", "--x={node}"]
    assert read_command("{node}/restart") == ["{node}/restart"], "which file it is shows later"


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("", "the command is empty"),
        ("systemctl 'restart", "close the quotes"),
        ("env {name}", r"holds \{name\}; the only placeholder is \{node\}"),
        ("env ${HOME}", "there is no shell"),
        ("no-such-command-here {node}", "there is no command 'no-such-command-here'"),
    ],
)
def test_a_command_that_cannot_be_run_is_refused_before_anything_is_done(text: str, said: str) -> None:
    with pytest.raises(ConfigError, match=said):
        read_command(text)


def test_all_nodes_go_in_the_order_of_their_numbers() -> None:
    heard = members("node-10", "node-9", "gateway-1", "node-1")
    assert choose_nodes(None, heard) == ["node-1", "node-9", "node-10"]
    assert choose_nodes("node-9, node-1", heard) == ["node-9", "node-1"]


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ("node-1,node-7", "there is no node 'node-7'; there are node-1, node-2"),
        ("node-1,", "there is no node ''"),
        ("gateway-1", "there is no node 'gateway-1'"),
        ("node-2,node-1,node-2", "node-2 is named twice"),
    ],
)
def test_names_that_are_none_are_refused(given: str, said: str) -> None:
    with pytest.raises(ConfigError, match=said):
        choose_nodes(given, members("node-2", "node-1", "gateway-1"))


def test_without_nodes_there_is_nothing_to_restart() -> None:
    with pytest.raises(ConfigError, match="no node is running"):
        choose_nodes(None, members("gateway-1"))


def test_a_pause_may_be_none() -> None:
    assert (read_pause("0"), read_pause("0s"), read_pause("2s")) == (0.0, 0.0, 2.0)
    with pytest.raises(ConfigError, match="is no duration"):
        read_pause("soon")


async def test_a_command_that_fails_says_how() -> None:
    await run_command([sys.executable, "-c", "pass"])
    with pytest.raises(RingwayError, match=r"failed \(exit code 3\)"):
        await run_command([sys.executable, "-c", "raise SystemExit(3)"])
    with pytest.raises(RingwayError, match=r"failed \(signal 9\)"):
        await run_command([sys.executable, "-c", "import os; os.kill(os.getpid(), 9)"])
    with pytest.raises(RingwayError, match="cannot be run"):
        await run_command(["/nowhere/at/all"])


async def test_a_command_that_takes_too_long_is_killed() -> None:
    with pytest.raises(TimeoutError):
        async with asyncio.timeout(0.2):
            await run_command([sys.executable, "-c", "import time; time.sleep(60)"])


async def test_a_node_that_is_not_heard_for_a_moment_is_waited_for() -> None:
    heard, access = members("node-1"), cast(Access, SimpleNamespace(up=True))
    loop = asyncio.get_running_loop()
    loop.call_later(0.3, heard.add_report, node_report("node-2"))
    report = await asyncio.wait_for(wait_for_node(access, heard, "node-2"), 10)
    assert report.name == "node-2"
    with pytest.raises(ConfigError, match="there is no node 'node-3'; there are node-1, node-2"):
        await wait_for_node(access, heard, "node-3", within_s=0.3)


@pytest.mark.parametrize(
    ("report", "is_ordered", "is_left"),
    [
        (node_report("a", draining=True), True, True),
        (node_report("a"), True, True),
        (node_report("a", draining=True), False, True),
        (node_report("a", life=2), True, False),
        (node_report("a"), False, False),
        (None, True, False),
    ],
    ids=["drains", "older report", "drained before", "restarted", "not ordered", "gone"],
)
def test_a_roll_that_ends_early_names_the_node_that_it_leaves_draining(
    report: Report | None, is_ordered: bool, is_left: bool
) -> None:
    said = left_draining(report, node_report("a").incarnation if is_ordered else None)
    assert ("a is left draining" in said, "`ringway undrain a`" in said) == (is_left, is_left)


async def test_a_roll_that_is_interrupted_between_two_nodes_says_what_was_done(
    capfd: pytest.CaptureFixture[str],
) -> None:
    heard = members("a", "b", "c")

    class Quick(Roll):
        async def _restart(self, name: NodeName, later: Sequence[NodeName], step: str) -> Drained:
            return Drained(node=name, connections=0, moved=0, seconds=0.0)

    access = cast(Access, SimpleNamespace(up=True))
    names = [NodeName(name) for name in "abc"]
    roll = asyncio.create_task(Quick(access, heard, names, ["true"], 0.0, False, 1.0, 1.0).run(600.0))
    await asyncio.sleep(0.05)
    roll.cancel()
    with pytest.raises(asyncio.CancelledError):
        await roll
    assert capfd.readouterr().err == (
        "ringway: interrupted. It ended between two nodes; restarted: a; not yet: b, c. "
        "No node is left draining by it\n"
    )

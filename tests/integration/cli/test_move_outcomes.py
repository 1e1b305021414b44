"""Outcomes of moves, as `ringway drain` and `ringway moves` tell them; also with a node of another release."""

import asyncio
import subprocess
import sys
from collections.abc import AsyncIterator, Iterator
from contextlib import AsyncExitStack, asynccontextmanager

import pytest

import ringway
from integration.cli.kit import environ_of, run
from integration.system.conftest import SOON
from integration.system.witness import until
from support.system import NODE_PORTS, System, free_port, running_system

CLIENTS = 6

OTHER_RELEASE = """
import ringway.core.session as session
session.PLAIN = session.VERSION = 99  # sessions of other nodes have a version that this release does not read
from ringway.cli.entry import main
main()
"""


@pytest.fixture
def system() -> Iterator[System]:
    with running_system(nodes=1, environ={**SOON, "RINGWAY_NODE_PORT": str(free_port(NODE_PORTS))}) as running:
        yield running


@asynccontextmanager
async def crowd(system: System) -> AsyncIterator[list[ringway.Client]]:
    """Clients that follow moves, all connected."""
    async with AsyncExitStack() as stack:
        clients = [await stack.enter_async_context(ringway.Client(system.gateway_url)) for _ in range(CLIENTS)]
        await until(lambda: connections(system) == {"node-1": CLIENTS}, "all on node-1")
        yield clients


def connections(system: System) -> dict[str, int]:
    return {name: node["connections"] for name, node in system.nodes().items() if node["connections"]}


@asynccontextmanager
async def second_node(system: System, *command: str) -> AsyncIterator[None]:
    """A second node, which gets no newcomers and no moves before it is asked to."""
    process = subprocess.Popen(
        [*command, "node", "--name", "node-2", "--port", str(free_port(NODE_PORTS))],
        env=environ_of(system.state, **SOON),
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    try:
        await until(lambda: "node-2" in system.nodes(), "the second node")
        yield
    finally:
        process.terminate()
        await asyncio.to_thread(process.wait, 30)


async def drain(system: System) -> str:
    """Drain node-1; return the words of the command."""
    done = await asyncio.to_thread(run, system.state, "drain", "node-1")
    assert done.returncode == 0, done.stderr
    return done.stdout


async def test_sessions_that_are_handed_over_are_told(system: System) -> None:
    async with crowd(system) as clients, second_node(system, sys.executable, "-m", "ringway"):
        said = await drain(system)
        assert "handed over" in said
        assert "reconnected" not in said
        await until(lambda: sum(told(system)["handed_over"]) == CLIENTS, "all moves to be told")
        await until(lambda: "under way" not in told(system)["outcome"], "the end of the drain")
        assert "done" in told(system)["outcome"]
        assert {outcome.partition(":")[0] for outcome in told(system)["outcome"]} <= {"done", "superseded"}
        assert sum(client.moves for client in clients) == CLIENTS
        shown = await asyncio.to_thread(run, system.state, "moves", COLUMNS="200")
        assert "handed over" in shown.stdout, shown.stderr


async def test_a_node_that_refuses_the_sessions_shows_as_reconnected_and_not_as_done(system: System) -> None:
    async with crowd(system), second_node(system, sys.executable, "-c", OTHER_RELEASE):
        said = await drain(system)
        assert "0 handed over" in said
        assert "reconnected" in said
        await until(lambda: sum(told(system)["reconnected"]) == CLIENTS, "all moves to be told")
        assert sum(told(system)["handed_over"]) == 0
        await until(lambda: "under way" not in told(system)["outcome"], "the end of the drain")
        assert any(outcome.endswith(" reconnected") for outcome in told(system)["outcome"]), told(system)
        assert "done" not in told(system)["outcome"]
        await until(lambda: connections(system) == {"node-2": CLIENTS}, "all to be back")


def told(system: System) -> dict[str, object]:
    """All decisions in which clients were moved: the numbers of each outcome, and the outcomes in words."""
    decisions = [each for each in system.ask("moves") if each["ordered"]]
    numbers = {name: [each[name] for each in decisions] for name in ("handed_over", "reconnected", "lost", "apart")}
    return {**numbers, "outcome": {each["outcome"] for each in decisions}}

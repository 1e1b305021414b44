"""Two gateways over servers that know nothing of Ringway, on a real NATS: they count, move, freeze and drain as one."""

import asyncio
import json
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from integration.backends.kit import Crowd, EchoServer, listens
from integration.system.conftest import SOON
from integration.system.witness import until
from support.system import System, free_port, running_system

CLIENTS = 48
UNEVEN = {"a": 14, "b": 17, "c": 17}
"""Worth two moves to an operator, and none to the balancer."""


class Backends:
    """Four servers, and the file that offers some of them."""

    def __init__(self, folder: Path) -> None:
        self.file = folder / "backends.json"
        self.servers = {name: EchoServer(name, folder) for name in ("a", "b", "c", "d")}

    def offer(self, *names: str) -> None:
        rows = [{"name": name, "url": self.servers[name].url} for name in names]
        self.file.write_text(json.dumps({"backends": rows}))


@pytest.fixture
def backends(tmp_path: Path) -> Iterator[Backends]:
    backends = Backends(tmp_path)
    for server in backends.servers.values():
        server.start()
    backends.offer("a", "b", "c")
    yield backends
    for server in backends.servers.values():
        server.process.kill_all()


@pytest.fixture
def system(backends: Backends) -> Iterator[System]:
    with running_system(f"--backends={backends.file}", nodes=0, environ=SOON) as running:
        yield running


async def second_gateway(system: System) -> tuple["subprocess.Popen[bytes]", str]:
    """Start a second gateway, and return when it listens; with the URL of its clients."""
    port = free_port()
    ports = ["--port", str(port), "--admin-port", str(free_port())]
    process = system.start("gateway", *ports)
    await until(lambda: listens(port), "the second gateway")
    return process, f"ws://127.0.0.1:{port}"


def counts(system: System) -> dict[str, int]:
    return {name: node["connections"] for name, node in system.nodes().items()}


async def all_counted(system: System) -> None:
    """Wait until all clients are counted."""
    await until(lambda: sum(counts(system).values()) == CLIENTS, "all clients to be counted")


async def plan_when(system: System, holds: Callable[[Any], object]) -> Any:
    """Ask for the plan (`ringway rebalance --dry-run`) until `holds`, and return it."""
    plan = None
    async with asyncio.timeout(60):
        while plan is None or not holds(plan):
            plan = json.loads(await asyncio.to_thread(system.ringway, "rebalance", "--dry-run", "--json"))
    return plan


def moves_to(plan: Any, target: str) -> int:
    return sum(quota["count"] for quota in plan["quotas"] if quota["target"] == target)


async def show_plan_only(system: System, crowd: Crowd) -> None:
    """Ask for a plan that the balancer would not begin by itself; nobody is moved by that."""
    await crowd.shrink(UNEVEN)
    await all_counted(system)
    for _ in range(3):  # each takes longer than the balancer takes for a round
        plan = await plan_when(system, lambda plan: plan["load"] == UNEVEN)
        assert (moves_to(plan, "a"), plan["frozen"]) == (2, "")
    assert "Nothing was moved (--dry-run)" in await asyncio.to_thread(system.ringway, "rebalance", "--dry-run")
    assert (crowd.moves, crowd.spread) == (0, UNEVEN)


async def freeze_and_offer(system: System, backends: Backends, crowd: Crowd) -> None:
    """Freeze moves, and offer a server to which a quarter should go; nobody is moved until moves are let go on."""
    await asyncio.to_thread(system.ringway, "freeze", "--why", "a deploy")
    await plan_when(system, lambda plan: "a deploy" in plan["frozen"])
    backends.offer("a", "b", "c", "d")
    await plan_when(system, lambda plan: moves_to(plan, "d") == CLIENTS / 4)
    said = await asyncio.to_thread(system.ringway, "rebalance")
    assert "It begins when moves go on; they are frozen" in said
    for _ in range(3):
        await plan_when(system, lambda plan: moves_to(plan, "d") == CLIENTS / 4)
    assert (crowd.moves, crowd.spread) == (0, UNEVEN)
    assert counts(system)["d"] == 0
    await asyncio.to_thread(system.ringway, "unfreeze")


async def test_a_backend_that_joins_gets_its_share_and_a_drain_goes_on_without_its_leader(system, backends):
    process, other = await second_gateway(system)
    first = system.gateway_url.replace("http", "ws")
    async with Crowd(CLIENTS * 5 // 4, first, other) as crowd:
        await until(lambda: all(client.servers for client in crowd.clients), "the first answer to each client")
        assert crowd.moves == 0
        await show_plan_only(system, crowd)
        await freeze_and_offer(system, backends, crowd)
        await until(lambda: crowd.spread["d"] >= CLIENTS / 4 - 3, "clients at d")
        assert all(client.servers[1:] in ([], ["d"]) for client in crowd.clients), "none between old ones"
        assert crowd.moves <= 1.05 * CLIENTS / 4
        assert (crowd.lost, crowd.codes) == (0, {})
        await asyncio.to_thread(system.ringway, "drain", "d", "--within", "20s")
        await until(lambda: counts(system)["d"] == 0, "d to be empty")
        assert (crowd.lost, crowd.codes) == (0, {})
        assert crowd.moves <= 2 * 1.05 * CLIENTS / 4, "there, and back"
        process.kill()
        process.wait()
        await until(lambda: sum(counts(system).values()) == CLIENTS, "the clients of the killed gateway to be back")
        await until(lambda: sum(crowd.spread.values()) == CLIENTS, "all answers")
        assert crowd.codes.keys() <= {1006}
        await asyncio.to_thread(system.ringway, "undrain", "d")
        await until(lambda: counts(system)["d"] >= CLIENTS / 4 - 3, "d to get its share again")

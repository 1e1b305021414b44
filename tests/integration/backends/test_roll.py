"""`ringway roll` restarts servers that know nothing of Ringway, under traffic: no answer is lost."""

import asyncio
import json
import shlex
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from integration.backends.kit import Crowd, EchoServer, echo_command
from integration.system.conftest import SOON
from integration.system.witness import until
from support.system import System, running_system

CLIENTS = 24
NAMES = ("a", "b", "c")

RESTART = """
import json, os, signal, subprocess, sys, time
servers, name = json.load(open(sys.argv[1])), sys.argv[2]
pid = servers[name]["pid"]
os.kill(pid, signal.SIGTERM)
while os.path.exists(f"/proc/{pid}") and open(f"/proc/{pid}/stat").read().rpartition(")")[2].split()[0] != "Z":
    time.sleep(0.02)
with open(sys.argv[1] + "." + name, "ab") as log:
    process = subprocess.Popen(servers[name]["command"], env={**os.environ, "ECHO_NAME": name + "-again"},
                               stdout=log, stderr=log, stdin=subprocess.DEVNULL, start_new_session=True)
servers[name]["again"] = process.pid
json.dump(servers, open(sys.argv[1], "w"))
"""
"""Ends a server, and starts it again as a service manager would: it does not wait until the server listens."""


class Servers:
    """The servers of a system, and the command that restarts one."""

    def __init__(self, folder: Path) -> None:
        self.servers = [EchoServer(name, folder) for name in NAMES]
        self.book = folder / "servers.json"
        script = folder / "restart.py"
        script.write_text(RESTART)
        self.restart = shlex.join([sys.executable, str(script), str(self.book), "{node}"])

    def start(self) -> None:
        for server in self.servers:
            server.start()
        self.book.write_text(
            json.dumps(
                {each.name: {"pid": each.process.pid, "command": echo_command(each.port)} for each in self.servers}
            )
        )

    def stop(self) -> None:
        for server in self.servers:
            server.process.kill_all()
        for each in json.loads(self.book.read_text()).values():
            if "again" in each:
                subprocess.run(["kill", "-9", str(each["again"])], check=False)


@pytest.fixture
def servers(tmp_path: Path) -> Iterator[Servers]:
    servers = Servers(tmp_path)
    servers.start()
    yield servers
    servers.stop()


@pytest.fixture
def on_move() -> str:
    return "auto"


@pytest.fixture
def system(servers: Servers, on_move: str) -> Iterator[System]:
    flags = [f"--backend={each.url},name={each.name},on-move={on_move}" for each in servers.servers]
    with running_system(*flags, nodes=0, environ={**SOON, "RINGWAY_GATEWAY_HEALTH_INTERVAL_S": "0.5"}) as running:
        yield running


@pytest.mark.parametrize("on_move", ["auto", "close"])
async def test_all_backends_are_restarted_and_no_answer_is_lost(system, servers, on_move):
    url = system.gateway_url.replace("http", "ws")
    async with Crowd(CLIENTS, url) as crowd:
        await until(
            lambda: sum(node["connections"] for node in system.nodes().values()) == CLIENTS, "all to be counted"
        )
        said = await asyncio.to_thread(
            system.ringway, "roll", "--command", servers.restart, "--within", "20s", "--pause", "1s", deadline_s=120.0
        )
        assert "3 nodes were restarted" in said
        assert ("handed over" if on_move == "auto" else "reconnected") in said
        assert {node["state"] for node in system.nodes().values()} == {"active"}
        await until(lambda: all(name.endswith("-again") for name in crowd.spread), "all to be at restarted servers")
        await until(
            lambda: sum(node["connections"] for node in system.nodes().values()) == CLIENTS, "all to be counted"
        )
    assert crowd.lost == 0
    assert set(crowd.codes) <= {1012}
    assert not crowd.codes if on_move == "auto" else crowd.codes
    assert crowd.moves <= 2.5 * CLIENTS


async def test_a_backend_that_does_not_come_back_ends_the_roll_and_says_so(system, servers):
    victim = servers.servers[0]
    command = shlex.join(
        [sys.executable, "-c", f"import os, sys; os.kill({victim.process.pid}, 9); sys.argv[1]", "{node}"]
    )
    with pytest.raises(RuntimeError) as failed:
        await asyncio.to_thread(
            system.ringway, "roll", "--command", command, "--nodes", "a", "--ready-within", "4s", deadline_s=60.0
        )
    said = str(failed.value)
    assert "a is not back: it takes no connections: " in said
    assert "It ended at a; restarted before: none; not yet: none. a is left draining" in said
    assert "`ringway undrain a` takes it back" in said
    assert system.nodes()["a"]["state"] != "active"

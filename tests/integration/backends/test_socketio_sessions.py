"""Socket.IO with its default settings (polling first, then the upgrade) through two gateways, over three servers."""

import asyncio
import json
import os
import subprocess
import sys
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import aiohttp
import pytest
import socketio

from integration.backends.kit import HERE, listens
from integration.system.conftest import SOON
from integration.system.witness import until
from support.npm import has_node, install_packages
from support.server_process import ServerProcess
from support.system import System, free_port, running_system, wait_for

ROUTE = {"RINGWAY_GATEWAY_ROUTES": "path=/ http=true sticky=socketio"}
CLIENTS = 24


class SocketServer:
    """One python-socketio server."""

    def __init__(self, name: str, folder: Path) -> None:
        self.name = name
        self.port = free_port()
        self.process = ServerProcess(folder / f"{name}.log")

    def start(self) -> None:
        words = [sys.executable, "-m", "uvicorn", "socketio_server:app", "--app-dir", str(HERE), "--no-access-log"]
        self.process.launch([*words, "--port", str(self.port)], {**os.environ, "ECHO_NAME": self.name})
        wait_for(lambda: listens(self.port), f"{self.name} to listen")


class SocketClient:
    """A python-socketio client with default settings, which asks who serves it again and again."""

    def __init__(self, url: str) -> None:
        self.url = url
        self.servers: list[str] = []  # a server that stays counts once
        self.failed = 0
        self.answers = 0
        self._client = socketio.AsyncClient(reconnection_delay=0.1, reconnection_delay_max=0.5)
        self._task = asyncio.create_task(self._run())

    @property
    def server(self) -> str:
        return self.servers[-1] if self.servers else ""

    async def stop(self) -> None:
        self._task.cancel()
        await asyncio.gather(self._task, return_exceptions=True)
        await self._client.disconnect()

    async def _run(self) -> None:
        await self._client.connect(self.url, retry=True)
        while True:
            try:
                name = await self._client.call("echo", 1, timeout=5)
            except (socketio.exceptions.SocketIOError, TimeoutError):
                self.failed += 1
                await asyncio.sleep(0.1)
                continue
            self.answers += 1
            if name != self.server:
                self.servers.append(name)
            await asyncio.sleep(0.1)


@pytest.fixture
def servers(tmp_path: Path) -> Iterator[dict[str, SocketServer]]:
    made = {name: SocketServer(name, tmp_path) for name in "abcd"}
    for server in made.values():
        server.start()
    yield made
    for server in made.values():
        server.process.kill_all()


def offer(file: Path, servers: dict[str, SocketServer], names: str) -> None:
    rows = [{"name": name, "url": f"ws://127.0.0.1:{servers[name].port}"} for name in names]
    file.write_text(json.dumps({"backends": rows}))


@pytest.fixture
def system(servers: dict[str, SocketServer], tmp_path: Path) -> Iterator[System]:
    offer(tmp_path / "backends.json", servers, "abc")
    with running_system(f"--backends={tmp_path / 'backends.json'}", nodes=0, environ={**SOON, **ROUTE}) as running:
        yield running


async def second_gateway(system: System) -> str:
    port = free_port()
    system.start("gateway", "--port", str(port), "--admin-port", str(free_port()))
    await until(lambda: listens(port), "the second gateway")
    url = f"http://127.0.0.1:{port}"
    async with aiohttp.ClientSession() as session:

        async def knows_all() -> bool:
            async with session.get(f"{url}/readyz") as answer:
                return (await answer.json()).get("nodes") == 3

        async with asyncio.timeout(90):
            while not await knows_all():
                await asyncio.sleep(0.1)
    return url


def connections(system: System) -> Counter[str]:
    return Counter({name: node["connections"] for name, node in system.nodes().items()})


async def poll_at_both(one: str, other: str) -> None:
    """Begin sessions at one gateway, and go on at the other in the same moment."""
    async with aiohttp.ClientSession() as session:
        for turn in range(10):
            first, second = (one, other) if turn % 2 else (other, one)
            path = "/socket.io/?EIO=4&transport=polling"
            async with session.get(first + path) as answer:
                sid = json.loads((await answer.text())[1:])["sid"]
            async with session.post(f"{second}{path}&sid={sid}", data="40") as answer:
                assert (answer.status, await answer.text()) == (200, "OK")
            async with session.get(f"{first}{path}&sid={sid}") as answer:
                assert answer.status == 200
                assert (await answer.text()).startswith('40{"sid":')
        async with session.get(f"{one}{path}&sid=nobody") as answer:
            assert (answer.status, await answer.json()) == (400, {"code": 1, "message": "Session ID unknown"})


async def test_default_clients_stay_with_their_servers_under_scale_out_drain_and_kill(system, servers, tmp_path):
    one, other = system.gateway_url, await second_gateway(system)
    await poll_at_both(one, other)
    if has_node():
        await asyncio.to_thread(install_packages, HERE.parent / "own_servers")
        for url in (one, other):
            said = await asyncio.to_thread(
                subprocess.run, ["node", HERE / "socketio_client.mjs", url], capture_output=True, text=True, timeout=60
            )
            seen = json.loads(said.stdout)
            assert seen["transports"] == ["polling", "websocket"]
            assert seen["names"][0] == seen["names"][1]
    clients = [SocketClient((one, other)[number % 2]) for number in range(CLIENTS)]
    try:
        await until(lambda: all(client.answers > 3 for client in clients), "answers to all")
        assert {client.server for client in clients} == set("abc")
        assert not any(client.failed for client in clients)
        offer(tmp_path / "backends.json", servers, "abcd")
        await until(lambda: "d" in connections(system), "the new server")
        await asyncio.to_thread(system.ringway, "rebalance")
        await until(lambda: "d" in {client.server for client in clients}, "clients at the new server")
        await asyncio.to_thread(system.ringway, "drain", "a", "--within", "20s")
        await until(lambda: connections(system)["a"] == 0, "the drained server to be empty")
        await until(lambda: all(client.server not in ("", "a") for client in clients), "all clients elsewhere")
        victim = "b" if any(client.server == "b" for client in clients) else "c"
        servers[victim].process.kill_all()
        await until(lambda: all(client.server not in ("a", victim) for client in clients), "all at living servers")
        before = [client.answers for client in clients]
        await until(lambda: all(c.answers > n for c, n in zip(clients, before, strict=True)), "answers to all")
    finally:
        await asyncio.gather(*(client.stop() for client in clients))

"""A gateway process and servers that register at it: they get clients, and clients are led away in every case."""

import asyncio
import json
import os
import signal
import sys
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path

import pytest
from websockets.asyncio.client import ClientConnection, connect
from websockets.asyncio.server import ServerConnection, serve
from websockets.exceptions import ConnectionClosed, InvalidHandshake

from integration.sidecar.kit import free_port, join
from ringway.protocol.registration import DrainOrder
from ringway.sidecar.registrar import Registrar, RegistrarRefused

PATIENCE_S = 30.0


class System:
    """A gateway that is alone, with a registration port."""

    def __init__(self, port: int, registration: int) -> None:
        self.url = f"ws://127.0.0.1:{port}/"
        self.at = Registrar([f"http://127.0.0.1:{registration}"], "")

    async def server(self, stack: AsyncExitStack, name: str) -> str:
        """Start a WebSocket server that says its name to each client; return its URL."""

        async def greet(client: ServerConnection) -> None:
            await client.send(name)
            await client.wait_closed()

        server = await stack.enter_async_context(serve(greet, "127.0.0.1", 0))
        return f"ws://127.0.0.1:{server.sockets[0].getsockname()[1]}"

    async def visit(self) -> tuple[ClientConnection, str]:
        """Return a client and the name of its server, as soon as there is one."""
        async with asyncio.timeout(PATIENCE_S):
            while True:
                try:
                    client = await connect(self.url)
                    return client, str(await client.recv())
                except (OSError, InvalidHandshake, ConnectionClosed):
                    await asyncio.sleep(0.05)

    async def left(self, name: str, incarnation: str) -> int | None:
        return (await self.at.renew(name, incarnation)).left


@asynccontextmanager
async def system(tmp_path: Path, *options: str) -> AsyncIterator[System]:
    port, registration = free_port(), free_port()
    log = (tmp_path / "gateway.log").open("wb")
    clean = {name: value for name, value in os.environ.items() if not name.startswith("RINGWAY_")}
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "ringway", "gateway", "--port", str(port), "--registration-port", str(registration),
        "--health-interval-s", "1", *options,
        env={**clean, "RINGWAY_STATE_DIR": str(tmp_path / "state")}, stderr=log,
    )  # fmt: skip
    try:
        yield System(port, registration)
    finally:
        process.terminate()
        await process.wait()
        log.close()


async def until_registered(system: System, name: str, url: str, life: str, ttl_s: float = 60.0) -> None:
    async with asyncio.timeout(PATIENCE_S):
        while True:
            try:
                await system.at.register(name, {"url": url, "ttl_s": ttl_s, "incarnation": life, "on_move": "close"})
            except Exception:  # the gateway is starting
                await asyncio.sleep(0.1)
            else:
                return


async def code_of(client: ClientConnection) -> int | None:
    """Return the close code that the client is told."""
    async with asyncio.timeout(PATIENCE_S):
        await client.wait_closed()
    return client.close_code


async def test_a_server_that_registers_gets_clients_until_its_lease_expires(tmp_path: Path) -> None:
    async with AsyncExitStack() as stack:
        ours = await stack.enter_async_context(system(tmp_path))
        await until_registered(ours, "a", await ours.server(stack, "a"), "1", ttl_s=3.0)
        client, name = await ours.visit()
        assert name == "a"
        await until_registered(ours, "b", await ours.server(stack, "b"), "1")
        assert await code_of(client) == 1012  # nobody renews a
        _, name = await ours.visit()
        assert name == "b"


async def test_a_server_that_asks_to_be_drained_is_emptied_and_left_to_end(tmp_path: Path) -> None:
    async with AsyncExitStack() as stack:
        ours = await stack.enter_async_context(system(tmp_path))
        await until_registered(ours, "a", await ours.server(stack, "a"), "1")
        clients = [(await ours.visit())[0] for _ in range(5)]
        await until_registered(ours, "b", await ours.server(stack, "b"), "1")
        async with asyncio.timeout(PATIENCE_S):
            while await ours.left("a", "1") != 5:
                await asyncio.sleep(0.1)
            await ours.at.drain("a", DrainOrder(within_s=20.0, force=True))
            assert [await code_of(client) for client in clients] == [1012] * 5
            for _ in range(5):
                assert (await ours.visit())[1] == "b"
            while await ours.left("a", "1") != 0:
                await asyncio.sleep(0.1)
        await ours.at.leave("a", "1", gone=True)


async def test_a_server_that_leaves_first_is_emptied_all_the_same(tmp_path: Path) -> None:
    async with AsyncExitStack() as stack:
        ours = await stack.enter_async_context(system(tmp_path))
        await until_registered(ours, "a", await ours.server(stack, "a"), "1")
        client, _ = await ours.visit()
        await until_registered(ours, "b", await ours.server(stack, "b"), "1")
        await ours.at.leave("a", "1", gone=False)
        assert await code_of(client) == 1012
        assert (await ours.visit())[1] == "b"


async def test_a_server_that_has_restarted_has_lost_its_clients(tmp_path: Path) -> None:
    async with AsyncExitStack() as stack:
        ours = await stack.enter_async_context(system(tmp_path))
        url = await ours.server(stack, "a")
        await until_registered(ours, "a", url, "1")
        client, _ = await ours.visit()
        await until_registered(ours, "a", url, "2")
        assert await code_of(client) == 1012
        assert (await ours.visit())[1] == "a"


async def test_a_server_under_the_name_of_a_backend_of_the_settings_is_refused_and_steers_nothing(
    tmp_path: Path,
) -> None:
    async with AsyncExitStack() as stack:
        servers = System(0, 0)
        listed, other = await servers.server(stack, "listed"), await servers.server(stack, "other")
        ours = await stack.enter_async_context(system(tmp_path, "--backend", f"{listed},name=a"))
        clients = [(await ours.visit())[0] for _ in range(4)]
        sidecar = await stack.enter_async_context(join(other, "--at", ours.at.at, "--name", "a"))
        await sidecar.until(lambda: f"'a' belongs to {listed}, which this gateway has from its source" in sidecar.log)
        with pytest.raises(RegistrarRefused) as refused:
            await ours.at.drain("a", DrainOrder(within_s=20.0, force=True))
        assert refused.value.status == 409
        sidecar.process.send_signal(signal.SIGTERM)
        await sidecar.ended()
        assert (await ours.visit())[1] == "listed"
        for client in clients:  # none was led away
            await (await client.ping())


async def test_a_server_in_a_group_to_which_no_route_leads_is_warned_and_marked(tmp_path: Path) -> None:
    admin = free_port()
    options = ("--route", "path=/", "--admin-port", str(admin))
    async with AsyncExitStack() as stack:
        ours = await stack.enter_async_context(system(tmp_path, *options))
        url = await ours.server(stack, "a")
        await until_registered(ours, "a", url, "1")
        sidecar = await stack.enter_async_context(join(url, "--at", ours.at.at, "--name", "b", "--group", "nope"))
        await sidecar.until(lambda: "a registered server has a problem" in sidecar.log)
        assert "no route leads to its group 'nope'; add a [[route]]" in sidecar.log
        async with asyncio.timeout(PATIENCE_S):
            while "no route leads to its group" not in (shown := await nodes(admin)):
                await asyncio.sleep(0.1)
    rows = {row["name"]: row for row in json.loads(shown)}
    assert (rows["a"]["problems"], rows["b"]["state"]) == ({}, "active")
    [problem] = rows["b"]["problems"].values()
    assert problem.startswith("gets no clients here: no route leads to its group 'nope'")


async def nodes(admin: int) -> str:
    """Return what `ringway nodes --json` prints; empty if it fails."""
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "ringway", "nodes", "--json", "--admin", f"http://127.0.0.1:{admin}",
        stdout=asyncio.subprocess.PIPE,
    )  # fmt: skip
    return (await process.communicate())[0].decode()

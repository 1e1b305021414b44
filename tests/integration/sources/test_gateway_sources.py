"""A gateway process whose backends come and go by a file and by DNS, with clients connected all the while."""

import asyncio
import json
import os
import signal
import socket
import ssl
import subprocess
import urllib.error
import urllib.request
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path
from typing import Any

from websockets.asyncio.client import ClientConnection, connect
from websockets.asyncio.server import ServerConnection, serve
from websockets.exceptions import ConnectionClosed

from support.dns_server import serving_names

PATIENCE_S = 40.0
PEM = Path(__file__).parent.parent / "client" / "localhost.pem"


def free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as server:
        return int(server.getsockname()[1])


class Servers:
    """WebSocket servers that greet each client by their name."""

    def __init__(self, stack: AsyncExitStack) -> None:
        self._stack = stack

    async def open(self, name: str, ip: str = "127.0.0.1", port: int = 0, tls: ssl.SSLContext | None = None) -> int:
        """Start the server `name`; return its port."""

        async def greet(client: ServerConnection) -> None:
            await client.send(name)
            async for message in client:
                await client.send(message)

        server = await self._stack.enter_async_context(serve(greet, ip, port, ssl=tls))
        return int(next(iter(server.sockets)).getsockname()[1])


class RunningGateway:
    """A gateway process, and clients of it."""

    def __init__(self, process: "subprocess.Popen[bytes]", log: Path, port: int, admin_port: int) -> None:
        self._process = process
        self._log = log
        self._port = port
        self._admin_port = admin_port

    async def client(self) -> tuple[str, ClientConnection]:
        """Connect; return the name of the server that answered, and the connection."""
        connection = await connect(f"ws://127.0.0.1:{self._port}/", open_timeout=PATIENCE_S)
        return str(await connection.recv()), connection

    async def servers(self, clients: int = 12) -> set[str]:
        """Return the names of the servers that new clients reach."""
        found = set()
        for _ in range(clients):
            name, connection = await self.client()
            found.add(name)
            await connection.close()
        return found

    async def nodes(self) -> dict[str, dict[str, Any]]:
        """Return what the admin port says of the backends, by name."""

        def read() -> Any:
            with urllib.request.urlopen(f"http://127.0.0.1:{self._admin_port}/v1/nodes", timeout=10) as answer:
                return json.load(answer)

        return {row["name"]: row for row in await asyncio.to_thread(read)}

    async def readiness(self) -> tuple[int, str]:
        """Return status and body of `/readyz`; status 0 if it is not there yet."""

        def read() -> tuple[int, str]:
            try:
                with urllib.request.urlopen(f"http://127.0.0.1:{self._admin_port}/readyz", timeout=10) as answer:
                    return answer.status, answer.read().decode()
            except urllib.error.HTTPError as refused:
                with refused:
                    return refused.code, refused.read().decode()
            except OSError:
                return 0, ""

        return await asyncio.to_thread(read)

    def hang_up(self) -> None:
        """Send SIGHUP."""
        os.kill(self._process.pid, signal.SIGHUP)

    def logged(self, text: str) -> int:
        """Return how many lines of the log have `text`."""
        return self._log.read_text().count(text)


@asynccontextmanager
async def running(
    tmp_path: Path, *options: str, until_open: bool = True, **environ: str
) -> AsyncIterator[RunningGateway]:
    port, admin_port = free_port(), free_port()
    log = tmp_path / "gateway.log"
    clean = {name: value for name, value in os.environ.items() if not name.startswith("RINGWAY_")}
    command = ["ringway", "gateway", "--port", str(port), "--admin-port", str(admin_port), *options]
    with log.open("wb") as output:
        process = subprocess.Popen(
            command, stdout=output, stderr=output, env=clean | environ | {"RINGWAY_STATE_DIR": str(tmp_path)}
        )
    gateway = RunningGateway(process, log, port, admin_port)
    try:

        async def answers() -> bool:
            assert process.poll() is None, log.read_text()
            try:
                _, connection = await gateway.client()
            except Exception:
                return False
            await connection.close()
            return True

        if until_open:
            await eventually(answers)
        yield gateway
        assert process.poll() is None, log.read_text()
    finally:
        process.terminate()
        await asyncio.to_thread(process.wait, 30)


async def eventually(true: Callable[[], Awaitable[bool]]) -> None:
    async with asyncio.timeout(PATIENCE_S):
        while not await true():
            await asyncio.sleep(0.1)


async def close_code(connection: ClientConnection) -> int:
    """Return the code by which the gateway closes a client."""
    try:
        async with asyncio.timeout(PATIENCE_S):
            while True:
                await connection.recv()
    except ConnectionClosed as closed:
        return closed.rcvd.code if closed.rcvd else 1006


async def echoes(connection: ClientConnection) -> bool:
    await connection.send("?")
    return await connection.recv() == "?"


def replace(path: Path, ports: dict[str, int], on_move: str = "never") -> None:
    """Write a file that lists servers, and put it in place at once."""
    new = path.with_suffix(".new")
    backends = [{"name": name, "url": f"ws://127.0.0.1:{port}", "on_move": on_move} for name, port in ports.items()]
    new.write_text(json.dumps({"backends": backends}))
    new.rename(path)


async def test_backends_of_a_file_come_and_go_without_a_restart(tmp_path: Path) -> None:
    file = tmp_path / "backends.json"
    async with AsyncExitStack() as stack:
        servers = Servers(stack)
        ports = {name: await servers.open(name) for name in "abc"}
        replace(file, {name: ports[name] for name in "ab"})
        gateway = await stack.enter_async_context(running(tmp_path, "--backends", str(file)))
        clients = [await gateway.client() for _ in range(10)]
        assert {name for name, _ in clients} == {"a", "b"}

        replace(file, ports)
        await eventually(lambda: _has(gateway, "c"))
        assert all([await echoes(connection) for _, connection in clients])

        file.write_text('{"backends": [')
        gateway.hang_up()
        await eventually(lambda: _logged(gateway, "it is not JSON"))
        assert await gateway.servers() == {"a", "b", "c"}
        assert all([await echoes(connection) for _, connection in clients])

        replace(file, {name: ports[name] for name in "bc"})
        gateway.hang_up()
        await eventually(lambda: _lacks(gateway, "a"))
        assert all([await echoes(connection) for _, connection in clients])  # on_move=never: they stay until they end
        assert (await gateway.nodes())["a"]["state"] == "draining"
        for _, connection in clients:
            await connection.close()
        await eventually(lambda: _forgotten(gateway, "a"))


async def test_clients_of_a_backend_that_leaves_the_file_are_moved_away(tmp_path: Path) -> None:
    file = tmp_path / "backends.json"
    async with AsyncExitStack() as stack:
        servers = Servers(stack)
        ports = {name: await servers.open(name) for name in "ab"}
        replace(file, ports, "close")
        gateway = await stack.enter_async_context(running(tmp_path, "--backends", str(file)))
        clients = [await gateway.client() for _ in range(10)]
        replace(file, {"b": ports["b"]}, "close")
        assert {await close_code(connection) for name, connection in clients if name == "a"} == {1012}
        assert await gateway.servers() == {"b"}
        assert all([await echoes(connection) for name, connection in clients if name == "b"])


async def test_addresses_of_a_name_come_and_go_without_a_restart(tmp_path: Path) -> None:
    async with AsyncExitStack() as stack:
        servers = Servers(stack)
        names = await stack.enter_async_context(serving_names())
        port = await servers.open("127.0.0.1")
        for ip in ("127.0.0.2", "127.0.0.3"):
            await servers.open(ip, ip, port)
        names.records = {("chat.test", "A"): ["127.0.0.1", "127.0.0.2"]}
        spec = f"dns+ws://chat.test:{port},on-move=close,{names.spec}"
        gateway = await stack.enter_async_context(running(tmp_path, "--backend", spec))
        clients = [await gateway.client() for _ in range(10)]
        assert {name for name, _ in clients} == {"127.0.0.1", "127.0.0.2"}

        names.fail("SERVFAIL", "chat.test")
        await eventually(lambda: _logged(gateway, "SERVFAIL"))
        assert await gateway.servers() == {"127.0.0.1", "127.0.0.2"}
        names.failing = {}
        names.records["chat.test", "A"] = ["127.0.0.3", "127.0.0.2"]
        assert {await close_code(connection) for name, connection in clients if name == "127.0.0.1"} == {1012}
        await eventually(lambda: _has(gateway, "127.0.0.3"))
        await eventually(lambda: _lacks(gateway, "127.0.0.1"))


async def test_the_certificate_of_an_address_is_for_its_name(tmp_path: Path) -> None:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(PEM)
    async with AsyncExitStack() as stack:
        names = await stack.enter_async_context(serving_names())
        names.records = {("_ws._tcp.localhost", "SRV"): [], ("server.test", "A"): ["127.0.0.2"]}
        port = await Servers(stack).open("secure", "127.0.0.2", tls=context)
        names.records["_ws._tcp.localhost", "SRV"] = [f"0 5 {port} server.test."]
        spec = f"dns+srv+wss://_ws._tcp.localhost,{names.spec}"
        gateway = await stack.enter_async_context(running(tmp_path, "--backend", spec, SSL_CERT_FILE=str(PEM)))
        assert await gateway.servers(2) == {"secure"}
        (row,) = (await gateway.nodes()).values()
        assert (row["name"], row["weight"], row["state"]) == (f"server.test-127.0.0.2-{port}", 5.0, "active")


async def test_a_gateway_that_is_not_ready_because_of_its_source_says_so(tmp_path: Path) -> None:
    async with AsyncExitStack() as stack:
        names = await stack.enter_async_context(serving_names())
        port = await Servers(stack).open("chat")
        spec = f"dns+ws://chat.test:{port},{names.spec}"
        gateway = await stack.enter_async_context(running(tmp_path, "--backend", spec, until_open=False))

        async def says() -> bool:
            status, text = await gateway.readiness()
            return status == 503 and "the addresses of chat.test: the name does not exist (NXDOMAIN)" in text

        await eventually(says)
        names.records = {("chat.test", "A"): ["127.0.0.1"]}
        await eventually(lambda: _is_ready(gateway))


async def test_an_unusable_file_at_the_start_ends_the_process(tmp_path: Path) -> None:
    (tmp_path / "b.toml").write_text('[[backend]]\nurl = "ws://h"\nwight = 2\n[[backend]]\n')
    clean = {name: value for name, value in os.environ.items() if not name.startswith("RINGWAY_")}
    done = await asyncio.to_thread(
        subprocess.run,
        ["ringway", "gateway", "--port", "0", "--backends", str(tmp_path / "b.toml"), "--backend", "dns+x"],
        capture_output=True, text=True, timeout=60, env=clean,
    )  # fmt: skip
    assert done.returncode == 2
    assert "b.toml, backend 1: there is no field 'wight'; did you mean 'weight'?" in done.stderr
    assert "backend 2: it has no url" in done.stderr
    assert "must begin with ws:// or wss://" in done.stderr
    assert "Traceback" not in done.stderr


async def _has(gateway: RunningGateway, name: str) -> bool:
    return name in await gateway.servers()


async def _lacks(gateway: RunningGateway, name: str) -> bool:
    return name not in await gateway.servers()


async def _forgotten(gateway: RunningGateway, name: str) -> bool:
    return name not in await gateway.nodes()


async def _is_ready(gateway: RunningGateway) -> bool:
    return (await gateway.readiness())[0] == 200


async def _logged(gateway: RunningGateway, text: str) -> bool:
    return bool(gateway.logged(text))

"""A real gateway process whose backends come from a registry: they join, drain and leave under open connections."""

import asyncio
import signal
import time
from collections.abc import AsyncIterator, Callable
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path

import pytest
from websockets.asyncio.client import ClientConnection, connect
from websockets.asyncio.server import ServerConnection, serve
from websockets.exceptions import ConnectionClosed

from integration.cli.kit import end, run, start
from support.api_player import ApiPlayer, play_api
from support.eureka_traffic import application, instance
from support.kubernetes_traffic import endpoint, event, listed, part, stopping
from support.system import free_port

PATIENCE_S = 60.0
CLIENTS = 12


@asynccontextmanager
async def greeting(name: str, host: str, port: int) -> AsyncIterator[int]:
    """A server that greets each connection with its name, and answers with it; yield its port."""

    async def greet(socket: ServerConnection) -> None:
        async for _ in socket:
            await socket.send(name)

    async with serve(greet, host, port) as server:
        yield next(iter(server.sockets)).getsockname()[1]


class Clients:
    """Connections through a gateway, and the servers that answer them."""

    def __init__(self, url: str) -> None:
        self._url = url
        self._sockets: list[ClientConnection] = []
        self.closed_with: set[int] = set()
        """The codes that clients were told."""

    async def open(self, number: int) -> None:
        deadline = time.monotonic() + PATIENCE_S
        while len(self._sockets) < number:
            try:
                self._sockets.append(await connect(self._url))
            except Exception:
                assert time.monotonic() < deadline, "the gateway lets nobody in"
                await asyncio.sleep(0.1)

    async def answers(self) -> set[str]:
        """Return who answers the open connections."""
        found = set()
        for index in range(len(self._sockets)):
            try:
                await self._sockets[index].send("who?")
                found.add(str(await self._sockets[index].recv()))
            except ConnectionClosed as closed:
                self.closed_with.add(closed.rcvd.code if closed.rcvd else 1006)
                self._sockets[index] = await connect(self._url)
                found.add("nobody")
        return found

    async def are_with(self, *names: str) -> None:
        deadline = time.monotonic() + PATIENCE_S
        while (found := await self.answers()) != set(names):
            assert time.monotonic() < deadline, found
            await asyncio.sleep(2)

    async def close(self) -> None:
        for socket in self._sockets:
            await socket.close()


@asynccontextmanager
async def gateway_over(folder: Path, *options: str) -> AsyncIterator[Clients]:
    port = free_port()
    process = start(folder, "gateway", "--port", str(port), "--admin-port", "0", *options)
    clients = Clients(f"ws://127.0.0.1:{port}/")
    try:
        yield clients
    finally:
        await clients.close()
        code, _, err = await asyncio.to_thread(end, process, signal.SIGTERM)
    assert code == 0, err
    assert "Traceback" not in err


@pytest.mark.timeout(200)
async def test_pods_of_a_service_join_and_are_drained_while_clients_stay(tmp_path: Path) -> None:
    async with AsyncExitStack() as stack:
        port = await stack.enter_async_context(greeting("a", "127.0.0.2", 0))
        await stack.enter_async_context(greeting("b", "127.0.0.3", port))
        api = await stack.enter_async_context(play_api())
        clients = await stack.enter_async_context(
            gateway_over(
                tmp_path, "--backend", "kubernetes+ws://chat.default:ws,drain-within=5",
                "--kubernetes-api-url", api.url,
            )
        )  # fmt: skip
        ports = (("ws", port),)
        (await api.next_request()).answer(listed(42, part("chat-1", 40, endpoint("a", "127.0.0.2"), ports=ports)))
        watch = (await api.next_request()).begin()
        await clients.open(CLIENTS)
        assert await clients.answers() == {"a"}
        both = (endpoint("a", "127.0.0.2"), endpoint("b", "127.0.0.3"))
        watch.send(event("MODIFIED", part("chat-1", 43, *both, ports=ports)))
        await clients.are_with("a", "b")
        draining = (stopping("a", "127.0.0.2"), endpoint("b", "127.0.0.3"))
        watch.send(event("MODIFIED", part("chat-1", 44, *draining, ports=ports)))
        await clients.are_with("b")
        assert clients.closed_with == set(), "they are moved unseen"


@pytest.mark.timeout(200)
async def test_instances_of_an_application_join_and_are_drained_while_clients_stay(tmp_path: Path) -> None:
    async with AsyncExitStack() as stack:
        first = await stack.enter_async_context(greeting("a", "127.0.0.1", 0))
        second = await stack.enter_async_context(greeting("b", "127.0.0.1", 0))
        registry = await stack.enter_async_context(play_api())
        told = [application(instance(first))]
        answering = asyncio.create_task(_answer(registry, lambda: told[-1]))
        try:
            options = ("--backend", f"eureka+{registry.url}/eureka,app=CHAT", "--eureka-poll-s", "0.2")
            clients = await stack.enter_async_context(gateway_over(tmp_path, *options))
            await clients.open(CLIENTS)
            assert await clients.answers() == {"a"}
            told.append(application(instance(first), instance(second)))
            await clients.are_with("a", "b")
            told.append(application(instance(first, "OUT_OF_SERVICE"), instance(second)))
            await clients.are_with("b")
            assert clients.closed_with == set(), "they are moved unseen"
        finally:
            answering.cancel()


async def _answer(registry: ApiPlayer, body: Callable[[], bytes]) -> None:
    while True:
        (await registry.next_request()).answer(body())


@pytest.mark.parametrize(
    ("spec", "says"),
    [
        (
            "kubernetes+ws://chat.default",
            "runs in no pod (KUBERNETES_SERVICE_HOST is not set): give --kubernetes-api-url",
        ),
        ("kubernetes+ws://chat.default,name=a", "its backends are named after their pods"),
        ("eureka+http://registry:8761/eureka", "app= of backend 'eureka+http://registry:8761/eureka' must be"),
    ],
)
def test_a_registry_that_cannot_be_followed_ends_the_gateway_at_its_start(tmp_path: Path, spec: str, says: str) -> None:
    done = run(tmp_path, "gateway", "--backend", spec)
    assert done.returncode == 2
    assert says in done.stderr

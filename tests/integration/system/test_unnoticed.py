"""The claim: every node is restarted, and no client behind the gateway can tell. Plain WebSockets, not ours."""

import asyncio
import contextlib
import json
import shlex
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import websockets

from integration.system.conftest import SOON
from integration.system.test_roll import RESTART
from integration.system.witness import until
from support.system import System, running_system

CLIENTS = 12
PAUSE_S = 0.01
CHANNELS = ("kept:room", "plain:room")
NAMESPACES = "kept:history_size=10000"


@pytest.fixture(scope="module")
def system() -> Iterator[System]:
    with running_system(nodes=3, environ={**SOON, "RINGWAY_NODE_NAMESPACES": NAMESPACES}) as running:
        yield running


class Plain:
    """A client that knows nothing of moves: one socket, and what came over it."""

    def __init__(self, socket: websockets.ClientConnection) -> None:
        self.socket = socket
        self.closed: tuple[int | None, str | None] | None = None
        self.got: dict[str, list[int]] = {channel: [] for channel in CHANNELS}
        self.replies: list[dict[str, Any]] = []
        self._id = 0

    async def send(self, **request: object) -> int:
        self._id += 1
        await self.socket.send(json.dumps({"id": self._id, **request}))
        return self._id

    async def read(self) -> None:
        """Read to the end of the socket, if it has one."""
        with contextlib.suppress(websockets.ConnectionClosed):
            async for message in self.socket:
                for line in str(message).split("\n"):
                    if line == "{}":
                        await self.socket.send("{}")
                        continue
                    told = json.loads(line)
                    if "push" in told:
                        self.got[told["push"]["channel"]].append(told["push"]["pub"]["data"])
                    else:
                        self.replies.append(told)
        self.closed = self.socket.close_code, self.socket.close_reason


async def test_no_client_notices_that_all_nodes_are_restarted(system: System, tmp_path: Path) -> None:
    url = system.gateway_url.replace("http", "ws") + "/connection/websocket"
    script = tmp_path / "restart.py"
    script.write_text(RESTART)
    restart = f"{shlex.quote(sys.executable)} {shlex.quote(str(script))} {{node}}"
    async with contextlib.AsyncExitStack() as stack, asyncio.TaskGroup() as group:
        clients: list[Plain] = []
        for _ in range(CLIENTS):
            client = Plain(await stack.enter_async_context(websockets.connect(url, proxy=None, ping_interval=None)))
            clients.append(client)
            await client.send(connect={})
            for channel in CHANNELS:
                await client.send(subscribe={"channel": channel})
        readers = [group.create_task(client.read()) for client in clients]
        await until(lambda: all(len(client.replies) == 3 for client in clients), "all to be subscribed")
        publisher = clients[0]
        rolled = asyncio.Event()
        sent = 0

        async def publish() -> None:
            nonlocal sent
            while not rolled.is_set():
                for channel in CHANNELS:
                    await publisher.send(publish={"channel": channel, "data": sent})
                sent += 1
                await asyncio.sleep(PAUSE_S)

        publishing = group.create_task(publish())
        lives = {node["incarnation"] for node in system.nodes().values()}
        told = await asyncio.to_thread(
            system.ringway, "roll", "--command", restart, "--within", "15s", "--pause", "0", deadline_s=180
        )
        rolled.set()
        await publishing
        assert not lives & {node["incarnation"] for node in system.nodes().values()}, told
        full = {channel: list(range(sent)) for channel in CHANNELS}
        await until(lambda: all(len(client.got[CHANNELS[1]]) >= sent for client in clients), "all that was published")
        await until(lambda: all(client.got == full for client in clients), "everything once, in order")
        await until(lambda: len(publisher.replies) == 3 + 2 * sent, "an answer to each publish")
        assert not [reply for reply in publisher.replies if "error" in reply]
        assert [client.closed for client in clients] == [None] * CLIENTS
        for reader in readers:
            reader.cancel()

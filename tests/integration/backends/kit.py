"""Echo servers on uvicorn as backends of a running system, and clients that count each answer that they lose."""

import asyncio
import os
import socket
import sys
from collections import Counter
from pathlib import Path
from typing import Any

from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import ConnectionClosed

from support.server_process import ServerProcess
from support.system import free_port, wait_for

HERE = Path(__file__).parent
PAUSE_S = 0.2
"""The pause between two messages of a client."""

RETRY_S = 0.1

PATIENCE_S = 10.0
"""The wait for an answer, after which it counts as lost: a `kill -9` loses what was under way without a word."""


def echo_command(port: int) -> list[str]:
    """Return the command of an echo server (`echo_server.py`)."""
    words = [sys.executable, "-m", "uvicorn", "echo_server:app", "--app-dir", str(HERE), "--no-access-log"]
    return [*words, "--port", str(port)]


def listens(port: int) -> bool:
    """True if a server takes connections at `port` of this machine."""
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", port)) == 0


class EchoServer:
    """One echo server."""

    def __init__(self, name: str, folder: Path) -> None:
        self.name = name
        self.port = free_port()
        self.url = f"ws://127.0.0.1:{self.port}"
        self.process = ServerProcess(folder / f"{name}.log")

    def start(self) -> None:
        """Start it, and wait until it listens."""
        self.process.launch(echo_command(self.port), {**os.environ, "ECHO_NAME": self.name})
        wait_for(lambda: listens(self.port), f"{self.name} to listen")


class EchoClient:
    """A client that sends a message every `PAUSE_S`, waits for its answer, and connects again when it is closed."""

    def __init__(self, urls: list[str]) -> None:
        self.urls = urls
        self.servers: list[str] = []  # that have answered, in their order; a server that stays counts once
        self.codes: Counter[int] = Counter()  # of its closes
        self.lost = 0
        self.sent = 0
        self.refused = 0

    async def run(self) -> None:
        """Go on until cancelled."""
        tries = 0
        while True:
            try:
                async with connect(self.urls[tries % len(self.urls)], proxy=None, open_timeout=5) as link:
                    await self._talk(link)
            except ConnectionClosed as closed:
                self.codes[closed.rcvd.code if closed.rcvd is not None else 1006] += 1
            except Exception:  # refused, or no gateway listens
                self.refused += 1
                tries += 1
                await asyncio.sleep(RETRY_S)

    async def _talk(self, link: ClientConnection) -> None:
        overdue: set[str] = set()
        while True:
            self.sent += 1
            text = str(self.sent)
            await link.send(text)
            try:
                async with asyncio.timeout(PATIENCE_S):
                    name, said = str(await link.recv()).split()
                    while said in overdue:
                        name, said = str(await link.recv()).split()
            except TimeoutError:
                self.lost += 1
                overdue.add(text)
                continue
            except ConnectionClosed:
                self.lost += 1
                raise
            assert said == text
            if not self.servers or self.servers[-1] != name:
                self.servers.append(name)
            await asyncio.sleep(PAUSE_S)


class Crowd:
    """Clients at `urls`, while the block lasts."""

    def __init__(self, count: int, *urls: str) -> None:
        self.clients = [EchoClient([*urls[each % len(urls) :], *urls[: each % len(urls)]]) for each in range(count)]
        self._tasks: list[asyncio.Task[None]] = []

    async def __aenter__(self) -> "Crowd":
        self._tasks = [asyncio.ensure_future(client.run()) for client in self.clients]
        return self

    async def __aexit__(self, *exc: Any) -> None:
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    async def shrink(self, spread: dict[str, int]) -> None:
        """Let clients leave until each server of `spread` has so many."""
        for name, count in spread.items():
            here = [index for index, client in enumerate(self.clients) if client.servers[-1] == name]
            for index in reversed(here[count:]):
                task = self._tasks.pop(index)
                task.cancel()
                del self.clients[index]
                await asyncio.gather(task, return_exceptions=True)

    @property
    def spread(self) -> Counter[str]:
        """The number of clients by the server that has answered last."""
        return Counter(client.servers[-1] for client in self.clients if client.servers)

    @property
    def lost(self) -> int:
        """Messages whose answer did not come, because the connection ended."""
        return sum(client.lost for client in self.clients)

    @property
    def codes(self) -> Counter[int]:
        """All closes, by code."""
        return sum((client.codes for client in self.clients), Counter())

    @property
    def moves(self) -> int:
        """How often a client's server changed."""
        return sum(len(client.servers) - 1 for client in self.clients)

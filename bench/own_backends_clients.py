"""Plain WebSocket clients of the benchmark of backends, many in one process.

Each has an address of its own in 127.0.0.0/8, asks once a second, and waits for the answer. When it is closed, it
connects again at once, to any of the gateways, as through a load balancer before them. It records which instance
answered it on each of its connections, its closes, and questions without an answer.
"""

import asyncio
import json
import random
import socket
from contextlib import suppress
from dataclasses import dataclass, field
from multiprocessing.connection import Connection
from typing import Any

import uvloop
from picows import WSError, WSFrame, WSListener, WSMsgType, WSTransport, ws_connect

ASK_S = 1.0
SILENT_S = 10.0
"""A question without an answer for so long counts as lost."""

AGAIN_S = 0.5
"""The mean pause after a failed attempt to connect."""

LAG_EACH_S = 0.02

READ_S = 0.001
"""The pause before a question, in which the loop reads its sockets.

Hundreds of clients share one loop, which a busy machine delays by up to a second: a client must not ask after a close
that it could have read. Real clients do not share a process.
"""

AT_ONCE = 25
"""Clients of one process that connect at the same time in the beginning."""


@dataclass
class Record:
    """What one client has seen. `visits` has, for each connection, the instances that answered, in their order."""

    visits: list[list[str]] = field(default_factory=list)
    closes: list[str] = field(default_factory=list)  # "1012 moved: reconnect"; "1006" for one without a close frame
    answers: int = 0
    unanswered: int = 0  # questions that were open at a close
    silent: int = 0  # questions without an answer on an open connection
    failed: int = 0  # attempts to connect
    slowest_s: float = 0.0


class Link(WSListener):  # type: ignore[misc]
    """One connection of a client."""

    def __init__(self, record: Record) -> None:
        self.closed = asyncio.get_running_loop().create_future()
        self.answer: asyncio.Future[None] | None = None
        self._record = record
        self._close = "1006"

    def on_ws_frame(self, transport: WSTransport, frame: WSFrame) -> None:
        """Note the answer or the close."""
        if frame.msg_type == WSMsgType.TEXT:
            instances = self._record.visits[-1]
            instance = json.loads(frame.get_payload_as_bytes())["instance"]
            if instances[-1:] != [instance]:
                instances.append(instance)
            if self.answer is not None and not self.answer.done():
                self.answer.set_result(None)
        elif frame.msg_type == WSMsgType.CLOSE:
            reason = frame.get_close_message() or b""
            self._close = f"{frame.get_close_code()} {bytes(reason).decode()}".strip()
            transport.send_close(frame.get_close_code())
            transport.disconnect()

    def on_ws_disconnected(self, transport: WSTransport) -> None:
        """Note the end."""
        if not self.closed.done():
            self.closed.set_result(self._close)


class Client:
    """One client of the gateways at `urls`."""

    def __init__(self, urls: list[str], number: int) -> None:
        self.record = Record()
        self.connected = asyncio.Event()
        self._urls = urls
        self._url = urls[number % len(urls)]
        self._address = f"127.{1 + number // 250 // 250}.{number // 250 % 250}.{1 + number % 250}"

    async def run(self) -> None:
        """Ask until cancelled."""
        while True:
            link, transport = await self._connect()
            self.record.visits.append([])
            try:
                await self._ask(link, transport)
                self.record.closes.append(link.closed.result())
            finally:
                transport.disconnect()
            self._url = random.choice(self._urls)

    async def _connect(self) -> tuple[Link, WSTransport]:
        while True:
            try:
                transport, link = await ws_connect(
                    lambda: Link(self.record), f"{self._url}/ask", socket_factory=self._socket,
                    websocket_handshake_timeout=SILENT_S,
                )  # fmt: skip
            except (OSError, WSError, TimeoutError):
                self.record.failed += 1
                await asyncio.sleep(random.uniform(0, 2 * AGAIN_S))
            else:
                return link, transport

    def _socket(self, _: Any) -> socket.socket:
        made = socket.socket()
        made.setblocking(False)
        made.bind((self._address, 0))
        return made

    async def _ask(self, link: Link, transport: WSTransport) -> None:
        """Ask until the connection is closed; each client begins its seconds at a moment of its own."""
        loop, record = asyncio.get_running_loop(), self.record
        while not link.closed.done():
            link.answer = loop.create_future()
            began = loop.time()
            transport.send(WSMsgType.TEXT, b'{"n": 1}')
            await asyncio.wait((link.answer, link.closed), timeout=SILENT_S, return_when=asyncio.FIRST_COMPLETED)
            if link.answer.done():
                record.answers += 1
                record.slowest_s = max(record.slowest_s, loop.time() - began)
                self.connected.set()
            elif link.closed.done():
                record.unanswered += 1
            else:
                record.silent += 1
                transport.disconnect()
            pause_s = ASK_S if record.answers > 1 else random.uniform(0, ASK_S)
            await asyncio.wait((link.closed,), timeout=pause_s)
            await asyncio.sleep(READ_S)


async def measure_lag() -> float:
    """Return, when cancelled, by how much the event loop was late at worst."""
    loop, lag_s = asyncio.get_running_loop(), 0.0
    with suppress(asyncio.CancelledError):
        while True:
            began = loop.time()
            await asyncio.sleep(LAG_EACH_S)
            lag_s = max(lag_s, loop.time() - began - LAG_EACH_S)
    return lag_s


def clients(urls: list[str], count: int, first: int, pipe: Connection) -> None:
    """The main function of a process of `count` clients: tells when all were answered, and their records at the end."""

    async def run() -> None:
        all_clients = [Client(urls, first + number) for number in range(count)]
        tasks = []
        for start in range(0, count, AT_ONCE):
            batch = all_clients[start : start + AT_ONCE]
            tasks += [asyncio.create_task(client.run()) for client in batch]
            await asyncio.gather(*(client.connected.wait() for client in batch))
        pipe.send("ready")
        await asyncio.to_thread(pipe.recv)
        for client in all_clients:
            client.record.slowest_s = 0.0
        lag = asyncio.create_task(measure_lag())
        await asyncio.to_thread(pipe.recv)
        lag.cancel()
        pipe.send(([client.record for client in all_clients], await lag))
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    uvloop.run(run())

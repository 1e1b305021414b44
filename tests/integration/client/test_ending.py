"""The end of a client's connection: earlier messages of both directions arrive (P-2.8)."""

import asyncio
import json
import logging
import struct
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import pytest
from client_kit import QUICK, TICKET, ScriptedGateway, ScriptedNode, http, until
from websockets.frames import Frame, Opcode
from websockets.server import ServerProtocol

import ringway
from ringway.client.link import ChannelLink
from ringway.client.opener import Terms
from ringway.errors import ConnectionClosed

pytestmark = pytest.mark.timeout(60)

NORMAL = struct.pack(">H", 1000)


def frame(first: int, payload: bytes = b"") -> bytes:
    size = len(payload)
    return (bytes((first, size)) if size < 126 else struct.pack(">BBH", first, 126, size)) + payload


TEXT, CLOSE, PING, PONG = 0x81, 0x88, 0x89, 0x8A


class Server:
    """Writes what a test says right behind its handshake, in the same segment, and keeps the frames that come."""

    def __init__(self, behind: bytes = b"") -> None:
        self.behind = behind
        self.frames: list[Frame] = []
        self.ended = asyncio.Event()
        self.writer: asyncio.StreamWriter | None = None

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        protocol = ServerProtocol()
        self.writer = writer
        try:
            while data := await reader.read(65536):
                protocol.receive_data(data)
                for event in protocol.events_received():
                    if isinstance(event, Frame):
                        self.frames.append(event)
                    else:
                        protocol.send_response(protocol.accept(event))  # type: ignore[arg-type]
                        writer.write(b"".join(protocol.data_to_send()) + self.behind)
                if self.closed:
                    break
        except ConnectionError:
            pass
        finally:
            self.ended.set()
            writer.close()

    @property
    def texts(self) -> list[str]:
        return [one.data.decode() for one in self.frames if one.opcode is Opcode.TEXT]

    @property
    def closed(self) -> list[bytes]:
        return [bytes(one.data) for one in self.frames if one.opcode is Opcode.CLOSE]


@asynccontextmanager
async def serving(server: Server) -> AsyncIterator[str]:
    running = await asyncio.start_server(server.serve, "127.0.0.1", 0)
    try:
        yield f"ws://127.0.0.1:{running.sockets[0].getsockname()[1]}/"
    finally:
        running.close()


BEHIND = {
    "nothing": b"",
    "a second close": frame(CLOSE, NORMAL),
    "another second close": frame(CLOSE, struct.pack(">H", 3999)),
    "a ping": frame(PING, b"late"),
    "a pong": frame(PONG),
    "a message": frame(TEXT, b"late"),
    "a broken frame": frame(0xF3, b"what"),
}


@pytest.mark.parametrize("behind", BEHIND.values(), ids=BEHIND.keys())
async def test_what_comes_before_a_close_is_received_and_what_comes_after_it_ignored(behind: bytes) -> None:
    server = Server(frame(TEXT, b"1") + frame(TEXT, b"2") + frame(CLOSE, NORMAL + b"bye") + behind)
    async with serving(server) as uri, ringway.connect(uri) as ws:
        assert [message async for message in ws] == ["1", "2"]
        await ws.wait_closed()
        assert (ws.close_code, ws.close_reason) == (1000, "bye")
        await server.ended.wait()
    assert server.closed == [NORMAL + b"bye"]


BREACHES = {
    "a reserved opcode": (frame(0x83, b"x"), 1002),
    "a mask": (bytes((TEXT, 0x81)) + b"\0\0\0\0x", 1002),
    "a reserved bit": (frame(0xC1, b"x"), 1002),
    "a close code that may not travel": (frame(CLOSE, struct.pack(">H", 1006)), 1002),
    "half a close code": (frame(CLOSE, b"\x03"), 1002),
    "a close reason that is not UTF-8": (frame(CLOSE, NORMAL + b"\xff"), 1007),
    "text that is not UTF-8": (frame(TEXT, b"\xff"), 1007),
    "a message that is too long": (bytes((TEXT, 127)) + struct.pack(">Q", 1 << 40), 1009),
}


@pytest.mark.parametrize(("broken", "code"), BREACHES.values(), ids=BREACHES.keys())
async def test_what_comes_before_a_breach_is_received(broken: bytes, code: int) -> None:
    server = Server(frame(TEXT, b"1") + frame(TEXT, b"2") + broken + frame(CLOSE, NORMAL))
    async with serving(server) as uri, ringway.connect(uri) as ws:
        assert [await ws.recv(), await ws.recv()] == ["1", "2"]
        with pytest.raises(ConnectionClosed):
            await ws.recv()
        await server.ended.wait()
    assert [payload[:2] for payload in server.closed] == [struct.pack(">H", code)]


async def test_what_is_sent_arrives_before_the_close_that_ends_the_block() -> None:
    for number in range(20):
        server = Server()
        async with serving(server) as uri:
            async with ringway.connect(uri, close_timeout=0.05) as ws:
                await ws.send(str(number))
                await ws.send("x" * 200_000)
            await server.ended.wait()
        assert [text[:2] for text in server.texts] == [str(number)[:2], "xx"]
        assert [payload[:2] for payload in server.closed] == [NORMAL]


async def test_what_is_sent_arrives_before_the_close_when_the_block_is_cancelled() -> None:
    server = Server()

    async def work(uri: str) -> None:
        async with ringway.connect(uri, close_timeout=0.05) as ws:
            await ws.send("last words")
            await asyncio.Event().wait()

    async with serving(server) as uri:
        task = asyncio.create_task(work(uri))
        await until(lambda: server.texts, "the message")
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)
        await server.ended.wait()
    assert server.texts == ["last words"]
    assert [payload[:2] for payload in server.closed] == [struct.pack(">H", 1011)]


async def test_publishes_that_are_under_way_are_answered_before_a_client_is_closed() -> None:
    async with ScriptedNode() as node:
        node.publish = lambda _: None
        async with ringway.Client(node.url, config=QUICK) as client:
            publishing = [asyncio.create_task(client.publish("room", n)) for n in range(5)]
            await until(lambda: len(node.of("publish")) == 5, "the publishes")
            closing = asyncio.create_task(client.close())
            await asyncio.sleep(0)
            for command in [command for command in node.commands if "publish" in command]:
                await node.current.send(json.dumps({"id": command["id"], "publish": {}}))
            await closing
            assert await asyncio.gather(*publishing) == [None] * 5


@asynccontextmanager
async def followed(server: Server) -> AsyncIterator[tuple[str, Server]]:
    """A gateway before `server`, which leads moved clients to a second server that it makes; both are yielded."""
    target = Server()
    first = await asyncio.start_server(server.serve, "127.0.0.1", 0)
    second = await asyncio.start_server(target.serve, "127.0.0.1", 0)
    ports = [each.sockets[0].getsockname()[1] for each in (first, second)]

    def answer(path: str) -> bytes:
        moved = "node=n2" in path
        url = f"ws://127.0.0.1:{ports[moved]}/?ticket={TICKET}"
        return http(200, {"url": url, "ticket": TICKET, "node": "n2" if moved else "n1", "expires_in": 10})

    try:
        async with ScriptedGateway(answer) as gateway:
            yield gateway.url, target
    finally:
        first.close()
        second.close()


MOVE = struct.pack(">H", 1012) + f"move n2 {TICKET}".encode()


async def test_a_move_told_behind_the_handshake_is_followed_and_what_is_sent_then_arrives_before_the_close() -> None:
    """P-7.11: the move stands in the segment of the 101; the program sends and leaves its block at once."""
    async with followed(Server(frame(TEXT, b"1") + frame(CLOSE, MOVE) + frame(PING))) as (url, target):
        async with ringway.connect(url, close_timeout=0.05) as ws:
            assert await ws.recv() == "1"
            await ws.send("a")
            await ws.send("b")
        await target.ended.wait()
    assert target.texts == ["a", "b"]
    assert [payload[:2] for payload in target.closed] == [NORMAL]


async def leave(client: ringway.Client) -> None:
    async with client:
        await asyncio.Event().wait()


@pytest.mark.parametrize("twice", [False, True], ids=["once", "twice"])
@pytest.mark.parametrize("state", ["open", "deaf", "connecting", "refused", "closing"])
async def test_a_client_that_is_cancelled_is_quiet(state: str, twice: bool) -> None:
    """Whatever its connection does, nothing is left to complain: no task, no error of the event loop."""
    complaints: list[dict[str, Any]] = []
    asyncio.get_running_loop().set_exception_handler(lambda loop, context: complaints.append(context))
    async with ScriptedNode() as node:
        if state == "connecting":
            node.connect = lambda _: None
        elif state == "refused":
            node.refuse_next = [(503, {})] * 1000
        clients = [ringway.Client(node.url, config=QUICK) for _ in range(10)]
        tasks = [asyncio.create_task(leave(client)) for client in clients]
        if state == "refused":
            await until(lambda: len(node.paths) > 20, "attempts")
        else:
            await until(lambda: len(node.of("connect")) == 10, "the connects")
        if state == "deaf":
            for connection in node.connections:
                connection.transport.pause_reading()
        elif state == "closing":
            tasks += [asyncio.create_task(connection.close(3000)) for connection in node.connections]
        await asyncio.sleep(0.02)
        for task in tasks:
            task.cancel()
        await asyncio.sleep(0.01)
        if twice:
            for task in tasks:
                task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        for connection in node.connections:
            connection.transport.resume_reading()
        await until(lambda: all(client.node is None for client in clients), "the end")
        await asyncio.sleep(0.6 if state == "deaf" else 0.05)  # close timeouts run out
    assert complaints == []


async def test_all_tasks_cancelled_at_once_are_quiet(caplog: pytest.LogCaptureFixture) -> None:
    """As `asyncio.run` does at Ctrl-C: also the tasks that the clients own."""
    complaints: list[dict[str, Any]] = []
    asyncio.get_running_loop().set_exception_handler(lambda loop, context: complaints.append(context))
    async with ScriptedNode() as node:
        before = asyncio.all_tasks()
        tasks = [asyncio.create_task(leave(ringway.Client(node.url, config=QUICK))) for _ in range(10)]
        await until(lambda: len(node.of("connect")) == 10, "the connects")
        await asyncio.sleep(0.02)
        for task in asyncio.all_tasks() - before:
            if "websockets" not in repr(task):
                task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        await asyncio.sleep(0.1)
    assert complaints == []
    assert [record.getMessage() for record in caplog.records if record.levelno >= logging.WARNING] == []


async def test_a_link_whose_end_nobody_awaits_any_more_ends_all_the_same() -> None:
    async with ScriptedNode() as node:
        link = ChannelLink(QUICK, lambda push: None, lambda link: None, lambda before, node: None)
        await link.open(node.url, Terms(1 << 20, 0.5), 5.0, None)
        link.ended.cancel()
        link.finish()
        await link.wait_gone()
        assert (link.close_code, link.is_open) == (1000, False)
        assert link.failure is None

"""The end of a connection, as the node sees it (PROTOCOL.md P-2.8): commands before the end are carried out."""

import asyncio
import json
import os
import socket
import struct
from collections.abc import Callable
from typing import Any

import pytest

from integration.node.conftest import Dial, StartNode
from integration.node.kit import BINARY, CLOSE, PATH, PING, PONG, TEXT, Peer, eventually, frame, head
from ringway.engine.memory.engine import MemoryHub
from ringway.node.server import ChannelNode
from ringway.types import Channel

NORMAL = struct.pack(">H", 1000)


def publishes(*numbers: int) -> bytes:
    """One frame that publishes each of `numbers`; its id is one more."""
    commands = [{"id": number + 1, "publish": {"channel": "room", "data": number}} for number in numbers]
    return frame(TEXT, b"\n".join(json.dumps(command).encode() for command in commands))


class Gate:
    """Holds the engine's confirmations back, so that commands wait as long as a test wants."""

    def __init__(self, node: ChannelNode) -> None:
        self._open = asyncio.Event()
        self.begun = 0
        self._broker = node.engine.broker
        self._publish = self._broker.publish
        self._broker.publish = self._held  # type: ignore[method-assign]

    async def _held(self, channel: Any, payload: bytes) -> None:
        self.begun += 1
        await self._open.wait()
        await self._publish(channel, payload)

    def open(self) -> None:
        self._open.set()


@pytest.fixture
async def node(start_node: StartNode) -> ChannelNode:
    return await start_node(close_deadline_s=5.0)


async def listener(node: ChannelNode, dial: Dial) -> Peer:
    """A subscriber, which receives the publications."""
    peer = await dial(node, connect=True)
    await peer.subscribe("room")
    return peer


async def seen(peer: Peer, count: int) -> list[Any]:
    return [(await peer.push())["pub"]["data"] for _ in range(count)]


async def rest(peer: Peer) -> list[tuple[int, bytes]]:
    """All frames up to the end of the stream."""
    frames = []
    try:
        while True:
            frames.append(await peer.recv())
    except (asyncio.IncompleteReadError, ConnectionError):
        return frames


def replies(frames: list[tuple[int, bytes]]) -> list[int]:
    """The ids of the replies in `frames`, in order."""
    lines = [json.loads(line) for opcode, payload in frames if opcode == TEXT for line in payload.split(b"\n")]
    return [line["id"] for line in lines if "id" in line]


AFTER = {
    "nothing": b"",
    "a ping": frame(PING, b"late"),
    "a pong": frame(PONG, b"late"),
    "a second close": frame(CLOSE, NORMAL),
    "another second close": frame(CLOSE, struct.pack(">H", 3999) + b"no"),
    "an empty second close": frame(CLOSE),
    "a publication": publishes(77),
    "a binary message": frame(BINARY, b"\xff"),
    "a broken frame": frame(0x3, b"what"),
    "a frame without a mask": frame(TEXT, b"x", mask=False),
    "half a frame": frame(TEXT, b"x" * 50)[:20],
}


@pytest.mark.parametrize("waiting", [False, True], ids=["idle", "while the engine is slow"])
@pytest.mark.parametrize("after", AFTER.values(), ids=AFTER.keys())
async def test_what_precedes_a_close_is_carried_out_and_answered(
    node: ChannelNode, dial: Dial, after: bytes, waiting: bool
) -> None:
    """P-2.8."""
    other, peer = await listener(node, dial), await dial(node, connect=True)
    gate = Gate(node) if waiting else None
    peer.raw(publishes(1, 2) + publishes(3) + frame(CLOSE, NORMAL + b"done") + after)
    if gate is not None:
        await eventually(lambda: gate.begun == 2)
        gate.open()
    frames = await rest(peer)
    assert replies(frames) == [2, 3, 4]
    assert frames[-1][0] == CLOSE
    assert frames[-1][1][:2] == NORMAL
    assert [opcode for opcode, _ in frames].count(CLOSE) == 1
    assert await seen(other, 3) == [1, 2, 3]
    await other.publish("room", "last")
    assert await seen(other, 1) == ["last"]
    assert not node.stats.closed


@pytest.mark.parametrize("piece", [1, 2, 3, 7])
async def test_a_close_in_pieces_is_one(node: ChannelNode, dial: Dial, piece: int) -> None:
    other, peer = await listener(node, dial), await dial(node, connect=True)
    stream = publishes(1) + frame(CLOSE, NORMAL + b"done") + frame(CLOSE, NORMAL)
    for start in range(0, len(stream), piece):
        peer.raw(stream[start : start + piece])
        await asyncio.sleep(0)
    assert replies(frames := await rest(peer)) == [2]
    assert frames[-1] == (CLOSE, NORMAL)
    assert await seen(other, 1) == [1]


async def test_an_empty_close_is_answered_by_an_empty_one(node: ChannelNode, dial: Dial) -> None:
    peer = await dial(node, connect=True)
    peer.raw(publishes(1) + frame(CLOSE) + frame(CLOSE))
    assert (await rest(peer))[-1] == (CLOSE, b"")


BREACHES = {
    "a reserved opcode": (frame(0x3, b"what"), 1002),
    "no mask": (frame(TEXT, b"{}", mask=False), 1002),
    "a reserved bit": (frame(TEXT, b"{}", rsv=4), 1002),
    "a fragmented ping": (frame(PING, b"", fin=False), 1002),
    "a long ping": (frame(PING, b"x" * 126), 1002),
    "a long close": (frame(CLOSE, NORMAL + b"x" * 124), 1002),
    "half a close code": (frame(CLOSE, b"\x03"), 1002),
    "a close code that may not travel": (frame(CLOSE, struct.pack(">H", 1006)), 1002),
    "a close reason that is not UTF-8": (frame(CLOSE, NORMAL + b"\xff"), 1007),
    "a continuation of nothing": (frame(0x0, b"x"), 1002),
    "a length that is longer than need be": (bytes((0x81, 0x80 | 126)) + struct.pack(">H", 5) + b"\0" * 9, 1002),
    "a length with its highest bit set": (bytes((0x81, 0x80 | 127)) + struct.pack(">Q", 1 << 63) + b"\0" * 9, 1002),
    "a message that is too long": (bytes((0x81, 0x80 | 127)) + struct.pack(">Q", 1 << 40) + b"\0" * 9, 1009),
    "text that is not UTF-8": (frame(TEXT, b"\xff"), 1007),
    "a binary message": (frame(BINARY, b"{}"), 1003),
    "a command that cannot be read": (frame(TEXT, b"no JSON"), 3501),
    "a second connect": (frame(TEXT, b'{"id":9,"connect":{}}'), 3501),
}


@pytest.mark.parametrize("waiting", [False, True], ids=["idle", "while the engine is slow"])
@pytest.mark.parametrize(("broken", "code"), BREACHES.values(), ids=BREACHES.keys())
async def test_what_precedes_a_breach_is_carried_out_and_answered(
    node: ChannelNode, dial: Dial, broken: bytes, code: int, waiting: bool
) -> None:
    """P-2.8."""
    other, peer = await listener(node, dial), await dial(node, connect=True)
    gate = Gate(node) if waiting else None
    peer.raw(publishes(1) + publishes(2) + broken + publishes(3) + frame(CLOSE, NORMAL))
    if gate is not None:
        await eventually(lambda: gate.begun == 1)
        gate.open()
    frames = await rest(peer)
    assert replies(frames) == [2, 3]
    assert [(opcode, payload[:2]) for opcode, payload in frames[-1:]] == [(CLOSE, struct.pack(">H", code))]
    assert await seen(other, 2) == [1, 2]
    await other.publish("room", "last")
    assert await seen(other, 1) == ["last"]
    assert node.stats.closed == {code: 1}


def end(peer: Peer) -> None:
    peer.writer.write_eof()


def reset(peer: Peer) -> None:
    peer.writer.get_extra_info("socket").setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    peer.writer.transport.abort()


@pytest.mark.parametrize("leave", [end, reset], ids=["its stream ends", "it resets"])
async def test_what_precedes_the_end_of_the_stream_is_carried_out(
    node: ChannelNode, dial: Dial, leave: Callable[[Peer], None]
) -> None:
    """P-2.8: whoever is gone can be answered nothing; what it had published whole is published."""
    other, peer = await listener(node, dial), await dial(node, connect=True)
    gate = Gate(node)
    peer.raw(publishes(1) + publishes(2) + frame(TEXT, b'{"id":4,"subscribe":{"channel":"room"}}') + publishes(3))
    peer.raw(publishes(4)[:10])
    await eventually(lambda: gate.begun == 1)
    await eventually(lambda: any(c.command_queue and c.command_queue.count == 3 for c in node.clients.registry))
    leave(peer)
    await eventually(lambda: len(node.clients.registry) == 1)
    gate.open()
    assert await seen(other, 3) == [1, 2, 3]
    assert node.hub.count(Channel("room")) == 1


async def test_a_close_by_the_node_itself_leaves_no_publication_undone(
    node: ChannelNode, hub: MemoryHub, dial: Dial
) -> None:
    """What a client had sent when the node sends it away is carried out; it hears no answer any more."""
    other, peer = await listener(node, dial), await dial(node, connect=True)
    gate = Gate(node)
    peer.raw(publishes(1) + publishes(2))
    await eventually(lambda: any(c.command_queue and c.command_queue.count == 1 for c in node.clients.registry))
    (connection,) = (one for one in node.clients.registry if one.command_queue)
    connection.close(1012)
    assert await peer.closed() == (1012, "")
    gate.open()
    assert await seen(other, 2) == [1, 2]


async def test_a_goodbye_that_waits_too_long_is_cut(start_node: StartNode, dial: Dial) -> None:
    node = await start_node(close_deadline_s=0.2, engine_deadline_s=60)
    peer = await dial(node, connect=True)
    Gate(node)
    peer.raw(publishes(1) + frame(CLOSE, NORMAL))
    assert await rest(peer) == []
    await eventually(lambda: not len(node.clients.registry))


async def test_frames_behind_the_handshake_in_the_same_segment_are_read(node: ChannelNode, dial: Dial) -> None:
    """A client that does not wait for 101; and what it says behind its close is dropped there too."""
    other = await listener(node, dial)
    connect = frame(TEXT, b'{"id":1,"connect":{}}')
    many = b"".join(publishes(number) for number in range(1, 60))
    for cut in (0, 3):
        peer = await Peer.tcp(node.port)
        request = head(PATH)
        peer.raw(request[: len(request) - cut])
        if cut:
            await asyncio.sleep(0.05)
        peer.raw(request[len(request) - cut :] + connect + many + frame(CLOSE, NORMAL) + frame(CLOSE) + os.urandom(9))
        answer = await peer.reader.readuntil(b"\r\n\r\n")
        assert answer.startswith(b"HTTP/1.1 101")
        frames = await rest(peer)
        assert replies(frames) == list(range(1, 61))
        assert frames[-1] == (CLOSE, NORMAL)
        assert await seen(other, 59) == list(range(1, 60))
        peer.abort()

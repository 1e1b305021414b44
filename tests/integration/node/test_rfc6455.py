"""Violations of RFC 6455, each with the close code that answers it; and unusual but valid frames."""

import gc
import struct
import weakref

import pytest

from integration.node.conftest import Dial, StartNode
from integration.node.kit import BINARY, CLOSE, PING, PONG, TEXT, eventually, frame

EURO = "€".encode()
PUBLISH = b'{"id":7,"ping":{}}'


def close(code: int, reason: bytes = b"") -> bytes:
    return frame(CLOSE, struct.pack(">H", code) + reason)


@pytest.mark.parametrize(
    ("data", "code"),
    [
        pytest.param(frame(TEXT, b"{}", rsv=4), 1002, id="rsv1"),
        pytest.param(frame(TEXT, b"{}", rsv=1), 1002, id="rsv3"),
        pytest.param(frame(PING, b"", rsv=2), 1002, id="rsv of a ping"),
        pytest.param(frame(PONG, b"", rsv=2), 1002, id="rsv of a pong"),
        pytest.param(frame(TEXT, b"{}", mask=False), 1002, id="unmasked"),
        pytest.param(frame(0x3, b"{}"), 1002, id="reserved opcode"),
        pytest.param(frame(0xB), 1002, id="reserved control opcode"),
        pytest.param(frame(PING, b"", fin=False), 1002, id="fragmented ping"),
        pytest.param(frame(CLOSE, b"", fin=False), 1002, id="fragmented close"),
        pytest.param(frame(PING, b"x" * 126), 1002, id="long ping"),
        pytest.param(frame(0x0, b"{}"), 1002, id="continuation of nothing"),
        pytest.param(frame(TEXT, b"{", fin=False) + frame(TEXT, b"}"), 1002, id="message within a message"),
        pytest.param(frame(TEXT, b"\xff"), 1007, id="not UTF-8"),
        pytest.param(frame(TEXT, EURO[:2]), 1007, id="UTF-8 cut short"),
        pytest.param(frame(TEXT, b"\xed\xa0\x80"), 1007, id="UTF-8 surrogate"),
        pytest.param(frame(TEXT, b"\xc0\xaf"), 1007, id="UTF-8 overlong"),
        pytest.param(frame(TEXT, b"\xff", fin=False), 1007, id="not UTF-8 in a first fragment"),
        pytest.param(frame(TEXT, EURO[:1], fin=False) + frame(0x0, b"\xff"), 1007, id="not UTF-8 across fragments"),
        pytest.param(frame(TEXT, b"{}", fin=False) + frame(0x0, EURO[:2]), 1007, id="UTF-8 cut short at the end"),
        pytest.param(frame(BINARY, b"{}"), 1003, id="binary"),
        pytest.param(frame(BINARY, b"{", fin=False) + frame(0x0, b"}"), 1003, id="binary in fragments"),
        pytest.param(frame(TEXT, b" " * 4097), 1009, id="too long"),
        pytest.param(frame(TEXT, b"", size=2**63 - 1), 1009, id="63-bit length"),
        pytest.param(frame(TEXT, b"", size=2**32), 1009, id="33-bit length"),
        pytest.param(
            b"\x81\xff" + struct.pack(">Q", 2**63) + b"mask", 1002, id="64-bit length with its highest bit set"
        ),
        pytest.param(frame(TEXT, b" " * 4000, fin=False) + frame(0x0, b" " * 97), 1009, id="too long in fragments"),
        pytest.param(frame(TEXT, b" ", fin=False) + frame(0x0, b" ", fin=False) * 8, 1009, id="too many fragments"),
        pytest.param(frame(CLOSE, b"\x03"), 1002, id="half a close code"),
        pytest.param(close(999), 1002, id="close 999"),
        pytest.param(close(0), 1002, id="close 0"),
        pytest.param(close(1004), 1002, id="close 1004"),
        pytest.param(close(1005), 1002, id="close 1005"),
        pytest.param(close(1006), 1002, id="close 1006"),
        pytest.param(close(1015), 1002, id="close 1015"),
        pytest.param(close(2999), 1002, id="close 2999"),
        pytest.param(close(5000), 1002, id="close 5000"),
        pytest.param(close(65535), 1002, id="close 65535"),
        pytest.param(close(1000, b"\xff"), 1007, id="close reason not UTF-8"),
    ],
)
async def test_a_violation_costs_the_connection(start_node: StartNode, dial: Dial, data: bytes, code: int) -> None:
    node = await start_node(message_bytes_max=4096, fragments_max=8)
    bystander = await dial(node, connect=True)
    peer = await dial(node, connect=True)
    peer.raw(data)
    assert (await peer.closed())[0] == code
    await peer.ended()
    assert node.stats.cut == 0, "the answer to the close ends it, not the deadline"
    assert await bystander.ask(ping={}) == {"ping": {}}


@pytest.mark.parametrize("split", [1, 2, 5, 17])
async def test_a_message_may_come_in_fragments_with_pings_between(
    start_node: StartNode, dial: Dial, split: int
) -> None:
    node = await start_node()
    peer = await dial(node, connect=True)
    await peer.subscribe("€")
    message = '{"id":9,"publish":{"channel":"€","data":"für 5 €"}}'.encode()
    parts = [message[i : i + split] for i in range(0, len(message), split)]
    for i, part in enumerate(parts):
        peer.raw(frame(TEXT if i == 0 else 0x0, part, fin=i == len(parts) - 1))
        if i == 0:
            peer.raw(frame(PING, b"between"))
    assert await peer.recv() == (PONG, b"between")
    assert (await peer.push())["pub"]["data"] == "für 5 €"


async def test_a_frame_may_come_byte_by_byte(start_node: StartNode, dial: Dial) -> None:
    node = await start_node()
    peer = await dial(node, connect=True)
    for byte in frame(TEXT, PUBLISH):
        peer.raw(bytes((byte,)))
        await peer.writer.drain()
    assert await peer.reply(7) == {"id": 7, "ping": {}}


@pytest.mark.parametrize("code", [1000, 1001, 1003, 1007, 1011, 1012, 3000, 3999, 4000, 4999])
async def test_a_close_is_answered_with_its_code(start_node: StartNode, dial: Dial, code: int) -> None:
    node = await start_node()
    peer = await dial(node, connect=True)
    peer.raw(close(code, b"bye"))
    assert await peer.closed(answer=False) == (code, "")
    await peer.ended()
    assert node.connections == 0


async def test_an_empty_close_is_answered_empty(start_node: StartNode, dial: Dial) -> None:
    node = await start_node()
    peer = await dial(node, connect=True)
    peer.raw(frame(CLOSE))
    assert await peer.closed(answer=False) == (1005, "")
    await peer.ended()


async def test_a_close_may_come_within_a_fragmented_message(start_node: StartNode, dial: Dial) -> None:
    node = await start_node()
    peer = await dial(node, connect=True)
    peer.raw(frame(TEXT, b"{", fin=False) + close(1000))
    assert (await peer.closed(answer=False))[0] == 1000


async def test_what_follows_a_close_is_not_read(start_node: StartNode, dial: Dial) -> None:
    node = await start_node()
    listener = await dial(node, connect=True)
    await listener.subscribe("c")
    peer = await dial(node, connect=True)
    peer.raw(close(1000) + frame(TEXT, b'{"id":5,"publish":{"channel":"c","data":1}}'))
    await peer.closed(answer=False)
    await peer.ended()
    await listener.publish("c", 2)
    assert (await listener.push())["pub"]["data"] == 2


async def test_a_connection_that_ended_is_free_at_once(start_node: StartNode, dial: Dial) -> None:
    node = await start_node()
    peer = await dial(node, connect=True)
    await peer.subscribe("c")
    (connection,) = node.clients.registry
    seen = weakref.ref(connection)
    del connection
    gc.disable()  # what only the collector frees would wait for it, thousands at a time
    try:
        peer.raw(close(1000))
        await peer.closed(answer=False)
        await eventually(lambda: seen() is None)
    finally:
        gc.enable()


async def test_what_comes_with_a_violation_is_carried_out(start_node: StartNode, dial: Dial) -> None:
    """P-2.8; test_closing.py says it of all kinds of violations."""
    node = await start_node()
    peer = await dial(node, connect=True)
    peer.raw(frame(TEXT, b'{"id":5,"publish":{"channel":"c","data":1}}') + frame(0x3))
    assert (await peer.closed())[0] == 1002
    await peer.ended()
    assert node.stats.published == 1


async def test_a_ping_is_answered_with_its_payload(start_node: StartNode, dial: Dial) -> None:
    node = await start_node()
    peer = await dial(node)  # also before the connect command
    peer.raw(frame(PING, b"x" * 125))
    assert await peer.recv() == (PONG, b"x" * 125)
    peer.raw(frame(PING) + frame(PONG, b"unasked"))
    assert await peer.recv() == (PONG, b"")


async def test_a_close_that_is_not_answered_ends_in_a_cut(start_node: StartNode, dial: Dial) -> None:
    node = await start_node(close_deadline_s=1.0)
    peer = await dial(node)
    peer.raw(frame(BINARY, b""))
    assert (await peer.closed(answer=False))[0] == 1003
    await peer.ended()
    await eventually(lambda: node.stats.cut == 1)

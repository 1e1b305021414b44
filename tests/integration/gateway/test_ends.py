"""The end of a relayed WebSocket: earlier data arrives, later data is dropped, a loss is reported at once.

PROTOCOL.md P-2.8.
"""

import asyncio
import socket
from contextlib import suppress

import pytest
from gateway_kit import Raw, answer_101, eventually, handshake, masked, raw_backend, read_head, settled

from ringway.protocol.frame import CLOSE, PING, PONG, TEXT, close_payload, server_frame

DONE = close_payload(1000, "done")

BEHIND = {
    "ping": (PING, b"?"),
    "pong": (PONG, b"!"),
    "message": (TEXT, b"too late"),
    "a second close": (CLOSE, close_payload(1001)),
    "a reserved opcode": (0x3, b""),
}
"""What may come behind a close frame, and is dropped."""

BROKEN = {
    "a reserved opcode": 0x83,
    "a reserved bit": 0xC1,
    "a message that continues none": 0x80,
    "a ping in fragments": 0x09,
}


class Backend:
    """Accepts one WebSocket and hands its raw connection to the test."""

    def __init__(self) -> None:
        self._came: asyncio.Queue[Raw] = asyncio.Queue()
        self._leave = asyncio.Event()

    async def serve(self, reader, writer):
        writer.write(answer_101(await read_head(reader)))
        self._came.put_nowait(Raw(reader, writer))
        await self._leave.wait()

    async def relay(self, start_rig, url, **settings):
        """Return the gateway, a client of it, and this end of the client's WebSocket."""
        rig = await start_rig(url, **settings)
        client = await rig.dial()
        await client.send(handshake())
        assert (await client.head())[0] == 101
        return rig, client, await asyncio.wait_for(self._came.get(), 10)

    def over(self):
        """Let the server of the backend end."""
        self._leave.set()


@pytest.fixture
async def backend():
    """A backend and its URL."""
    made = Backend()
    async with raw_backend(made.serve) as url:
        yield made, url
        made.over()


@pytest.fixture
async def relay(start_rig, backend):
    """Gateway, client and node of one relay; no time is long enough to help."""
    made, url = backend
    rig, client, node = await made.relay(start_rig, url, close_answer_s=60.0, linger_s=20.0)
    yield rig, client, node
    await client.close()
    await node.close()
    await rig.idle()


@pytest.mark.parametrize("name", BEHIND)
async def test_what_a_client_sends_behind_its_close_frame_is_dropped(relay, name):
    rig, client, node = relay
    opcode, payload = BEHIND[name]
    await client.send(masked(0x81, b"last") + masked(0x88, DONE) + masked(0x80 | opcode, payload))
    assert await node.frame() == (0x81, b"last")
    assert await node.frame() == (0x88, DONE)
    await client.send(masked(0x80 | opcode, payload))
    await node.send(server_frame(TEXT, b"meanwhile") + server_frame(CLOSE, DONE))
    assert await client.frame() == (0x81, b"meanwhile")
    assert await client.frame() == (0x88, DONE)
    node.writer.write_eof()
    assert await client.rest() == b""
    client.writer.write_eof()
    assert await node.rest() == b""
    await rig.idle()
    assert not rig.stats.cut


@pytest.mark.parametrize("name", BEHIND)
async def test_what_a_node_sends_behind_its_close_frame_is_dropped(relay, name):
    rig, client, node = relay
    frame = server_frame(*BEHIND[name])
    await node.send(server_frame(TEXT, b"last") + server_frame(CLOSE, DONE) + frame)
    assert await client.frame() == (0x81, b"last")
    assert await client.frame() == (0x88, DONE)
    await node.send(frame)
    await client.send(masked(0x81, b"meanwhile") + masked(0x88, DONE))
    assert await node.frame() == (0x81, b"meanwhile")
    assert await node.frame() == (0x88, DONE)
    node.writer.write_eof()
    assert await client.rest() == b""
    client.writer.write_eof()
    assert await node.rest() == b""
    await rig.idle()
    assert not rig.stats.cut


@pytest.mark.parametrize("name", BROKEN)
async def test_what_precedes_the_breach_of_a_client_is_carried_and_answered(relay, name):
    rig, client, node = relay
    await client.send(masked(0x81, b"good") + masked(0x82, b"too") + masked(BROKEN[name], b""))
    assert await node.frame() == (0x81, b"good")
    assert await node.frame() == (0x82, b"too")
    first, payload = await node.frame()
    assert (first, payload[:2]) == (0x88, (1002).to_bytes(2, "big"))
    await node.send(server_frame(TEXT, b"answer") + server_frame(CLOSE, payload))
    assert await client.frame() == (0x81, b"answer")
    first, payload = await client.frame()
    assert (first, payload[:2]) == (0x88, (1002).to_bytes(2, "big"))
    assert await client.rest() == b""
    assert await node.rest() == b""
    assert rig.stats.cut == {"client_frame": 1}


async def test_a_client_that_broke_a_rule_is_told_though_the_node_does_not_answer(start_rig, backend):
    made, url = backend
    rig, client, node = await made.relay(start_rig, url, linger_s=0.2)
    await client.send(masked(0x81, b"good") + masked(0x83, b""))
    first, payload = await client.frame()
    assert (first, payload[:2]) == (0x88, (1002).to_bytes(2, "big"))
    assert await client.rest() == b""
    assert await node.frame() == (0x81, b"good")
    await rig.idle()
    assert rig.stats.cut == {"client_frame": 1}


@pytest.mark.parametrize("how", ["closes", "ends", "resets"])
async def test_a_client_that_broke_a_rule_is_told_when_the_node_is_over(relay, how):
    _, client, node = relay
    await client.send(masked(0x83, b""))
    assert (await node.frame())[0] == 0x88
    match how:
        case "closes":
            await node.send(server_frame(CLOSE, DONE))
        case "ends":
            node.writer.write_eof()
        case "resets":
            node.reset()
    first, payload = await client.frame()
    assert (first, payload[:2]) == (0x88, (1002).to_bytes(2, "big"))
    assert await client.rest() == b""


@pytest.mark.parametrize("name", BROKEN)
async def test_what_precedes_the_breach_of_a_node_is_carried_and_both_are_told(relay, name):
    rig, client, node = relay
    await node.send(server_frame(TEXT, b"good") + bytes((BROKEN[name], 0)))
    assert await client.frame() == (0x81, b"good")
    first, payload = await client.frame()
    assert (first, payload[:2]) == (0x88, (1012).to_bytes(2, "big"))
    first, payload = await node.frame()
    assert (first, payload[:2]) == (0x88, (1002).to_bytes(2, "big"))
    assert await node.rest() == b""
    assert await client.rest() == b""
    assert rig.stats.cut == {"node_frame": 1}


async def test_a_node_whose_client_is_within_a_frame_is_sent_none_of_ours(relay):
    _, client, node = relay
    half = masked(0x81, b"half of this")[:-3]
    await client.send(half)
    assert await node.reader.readexactly(len(half)) == half
    await node.send(b"\x83\x00")
    assert (await client.frame())[0] == 0x88
    assert await node.rest() == b""


async def test_a_breach_behind_a_close_of_the_other_is_not_told_as_well(relay):
    rig, client, node = relay
    await node.send(server_frame(CLOSE, DONE))
    assert await client.frame() == (0x88, DONE)
    await client.send(masked(0x81, b"good") + masked(0x83, b""))
    assert await node.frame() == (0x81, b"good")
    first, payload = await node.frame()
    assert (first, payload[:2]) == (0x88, (1002).to_bytes(2, "big"))
    assert await client.rest() == b""
    assert await node.rest() == b""
    assert rig.stats.cut == {"client_frame": 1}


@pytest.mark.parametrize("size", [10, 60_000], ids=["slowly", "as fast as can be"])
async def test_a_node_that_ends_and_then_resets_is_known_at_once_to_be_lost(relay, size):
    rig, client, node = relay
    await node.send(server_frame(CLOSE, DONE))
    node.writer.write_eof()
    assert await client.frame() == (0x88, DONE)
    assert await client.rest() == b""
    upload = asyncio.create_task(_send_on(client, masked(0x82, b"x" * size)))
    assert (await node.frame())[0] == 0x82
    if size > 1000:  # all buffers are full
        await settled(lambda: rig.gateway.relays.tally() or rig.stats.bytes_to_node)
    node.reset()
    with pytest.raises(ConnectionError):
        await asyncio.wait_for(upload, 10)
    await rig.idle()


async def _send_on(raw: Raw, frame: bytes) -> None:
    while True:
        await raw.send(frame)
        await asyncio.sleep(0.01 if len(frame) < 1000 else 0)


async def test_a_client_that_ends_and_then_resets_is_known_at_once_to_be_lost(relay):
    rig, client, node = relay
    await client.send(masked(0x81, b"last"))
    client.writer.write_eof()
    assert await node.frame() == (0x81, b"last")
    assert await node.rest() == b""
    client.reset()
    for _ in range(20):  # a download goes on
        node.writer.write(server_frame(TEXT, b"x" * 1000))
    await eventually(node.reader.at_eof)
    node.writer.close()
    await rig.idle()


async def test_no_deadline_ends_a_connection_that_still_takes_what_it_was_sent(start_rig, backend):
    made, url = backend
    rig, client, node = await made.relay(start_rig, url, close_answer_s=0.8, linger_s=0.8)
    client.writer.get_extra_info("socket").setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 65536)
    sent = server_frame(0x2, b"x" * 60_000) * 60 + server_frame(CLOSE, DONE)
    sending = asyncio.create_task(node.send(sent))
    got = bytearray()
    while len(got) < len(sent):
        piece = await asyncio.wait_for(client.reader.read(120_000), 10)
        assert piece, len(got)
        got += piece
        with suppress(ConnectionError):
            await client.send(masked(0x89, b"?"))  # which a connection that was cut off answers with a reset
        if len(got) < len(sent) - 400_000:  # the rest is in the buffers of this end
            await asyncio.sleep(0.05)
    assert got == sent
    await sending
    await client.close()
    await node.close()
    await rig.idle()


@pytest.mark.parametrize("who", ["client", "node"])
async def test_a_slow_reader_gets_all_of_what_precedes_the_loss_of_the_other(start_rig, backend, who):
    made, url = backend
    rig, client, node = await made.relay(start_rig, f"{url},on-move=close", linger_s=20.0)
    reader, writer = (node, client) if who == "client" else (client, node)
    message = masked(0x82, b"x" * 60_000) if who == "client" else server_frame(0x2, b"x" * 60_000)
    sending = asyncio.create_task(writer.send(message * 20))
    await asyncio.sleep(0.2)  # nobody reads
    got = b""
    while len(got) < len(message) * 20:
        piece = await asyncio.wait_for(reader.reader.read(65536), 10)
        assert piece
        got += piece
        if sending.done() and not writer.writer.is_closing():
            writer.writer.close()
    goodbye = server_frame(CLOSE, close_payload(1012, "node lost"))
    assert (got + await reader.rest()).removesuffix(goodbye) == message * 20
    await sending
    await reader.close()
    await rig.idle()

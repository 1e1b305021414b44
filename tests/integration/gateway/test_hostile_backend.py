"""Backends that mean harm, or are broken: a relay opens for a right answer or not at all (PROTOCOL.md P-2.4)."""

import asyncio

import pytest
from gateway_kit import answer_101, eventually, handshake, masked, raw_backend, read_head

from ringway.protocol.upgrade import accept_for

RIGHT = (
    "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
    "Sec-WebSocket-Accept: {accept}\r\n"
)


def changed(old: str, new: str) -> str:
    assert old in RIGHT
    return RIGHT.replace(old, new)


ANSWERS = {
    "wrong accept": (502, changed("{accept}", "AAAAAAAAAAAAAAAAAAAAAAAAAAA=") + "\r\n"),
    "no accept": (502, changed("Sec-WebSocket-Accept: {accept}\r\n", "") + "\r\n"),
    "no upgrade headers": (502, changed("Upgrade: websocket\r\nConnection: Upgrade\r\n", "") + "\r\n"),
    "no connection header": (502, changed("Connection: Upgrade\r\n", "") + "\r\n"),
    "upgrade to h2c": (502, changed("websocket", "h2c") + "\r\n"),
    "200 with upgrade": (502, changed("101 Switching Protocols", "200 OK") + "\r\n"),
    "http/1.0": (502, changed("HTTP/1.1", "HTTP/1.0") + "\r\n"),
    "subprotocol not offered": (502, RIGHT + "Sec-WebSocket-Protocol: other\r\n\r\n"),
    "extension not offered": (502, RIGHT + "Sec-WebSocket-Extensions: permessage-deflate\r\n\r\n"),
    "body announced": (502, RIGHT + "Content-Length: 5\r\n\r\n"),
    "chunked": (502, RIGHT + "Transfer-Encoding: chunked\r\n\r\n"),
    "two accepts": (502, RIGHT + "Sec-WebSocket-Accept: {accept}\r\n\r\n"),
    "100 for ever": (502, "HTTP/1.1 100 Continue\r\n\r\n" * 2000),
    "103 and no end": (504, "HTTP/1.1 103 Early Hints\r\nLink: a\r\n\r\n"),
    "redirect": (302, "HTTP/1.1 302 Found\r\nLocation: http://169.254.169.254/\r\nContent-Length: 0\r\n\r\n"),
    "500": (502, "HTTP/1.1 500 Oops\r\nContent-Length: 0\r\n\r\n"),
    "503": (503, "HTTP/1.1 503 Full\r\nContent-Length: 0\r\n\r\n"),
    "426": (
        426,
        "HTTP/1.1 426 Upgrade Required\r\nUpgrade: foo\r\nSec-WebSocket-Version: 8\r\nContent-Length: 2\r\n\r\n{}",
    ),
    "not http": (502, "SSH-2.0-OpenSSH_9\r\n"),
    "header injection": (502, RIGHT + "X: a\rb\r\n\r\n"),
    "folded": (502, RIGHT + "X: a\r\n b\r\n\r\n"),
    "giant head": (502, RIGHT + "X: " + "a" * 40000 + "\r\n\r\n"),
    "many headers": (502, RIGHT + "X: a\r\n" * 100 + "\r\n"),
    "endless head": (502, RIGHT + "X: " + "a" * 40000),
    "403 with a body that never ends": (403, "HTTP/1.1 403 No\r\nContent-Length: 100\r\n\r\nno"),
    "403 with a giant body": (403, "HTTP/1.1 403 No\r\n\r\n" + "x" * 100_000),
    "silence": (504, ""),
    "half a head": (504, RIGHT),
}


@pytest.mark.parametrize("name", ANSWERS)
async def test_no_tunnel_for_a_wrong_answer(start_rig, name):
    status, template = ANSWERS[name]
    beyond = asyncio.get_running_loop().create_future()

    async def answer(reader, writer):
        head = (await read_head(reader)).decode()
        key = next(line[19:] for line in head.split("\r\n") if line.startswith("sec-websocket-key: "))
        writer.write(template.replace("{accept}", accept_for(key)).encode() + (b"" if status == 504 else b"\x81\x02hi"))
        try:
            got = await reader.read()
        except ConnectionError:
            got = b""
        if not beyond.done():
            beyond.set_result(got)

    async with raw_backend(answer) as url:
        rig = await start_rig(url, answer_deadline_s=0.3)
        client = await rig.dial()
        await client.send(handshake("/public") + b"GET /internal HTTP/1.1\r\nHost: x\r\n\r\n")
        answered, headers = await client.head()
        assert answered == status
        assert "upgrade" not in headers
        assert "sec-websocket-accept" not in headers
        assert headers["connection"] == "close"
        await client.rest()
        assert await asyncio.wait_for(beyond, 10) == b""  # and its connection was closed, not used again
        assert rig.stats.relays_opened == 0
        await rig.idle()
        await eventually(lambda: all(node.load == 0 for node in rig.directory.groups.nodes.values()))


@pytest.mark.parametrize("frame", [masked(0x81, b"x"), b"\x83\x00", b"\xc1\x01x", b"\x80\x01x"])
async def test_frames_that_a_server_must_not_send_end_the_tunnel(start_rig, frame):
    async def misbehave(reader, writer):
        writer.write(answer_101(await read_head(reader)) + b"\x81\x04good")
        await asyncio.sleep(0.05)
        writer.write(frame)
        await reader.read()

    async with raw_backend(misbehave) as url:
        rig = await start_rig(url)
        client = await rig.dial()
        await client.send(handshake())
        await client.head()
        assert await client.frame() == (0x81, b"good")
        first, payload = await client.frame()
        assert (first, payload[:2]) == (0x88, (1012).to_bytes(2, "big"))
        await client.rest()
        await rig.idle()
        assert rig.stats.cut == {"node_frame": 1}


async def test_a_backend_that_hangs_up_is_tried_no_further(start_rig):
    async def hang_up(reader, writer):
        await read_head(reader)

    async with raw_backend(hang_up) as one, raw_backend(hang_up) as two:
        rig = await start_rig(one, two)
        client = await rig.dial()
        await client.send(handshake())
        assert (await client.response())[0] == 502
        assert rig.stats.retries == 1


async def test_a_late_answer_goes_to_an_alternate(start_rig):
    async def sleep(reader, writer):
        await asyncio.sleep(30)

    async def work(reader, writer):
        writer.write(answer_101(await read_head(reader)) + b"\x81\x02ok")
        await reader.read()

    async with raw_backend(sleep) as late, raw_backend(work) as good:
        rig = await start_rig(f"{late},name=late", f"{good},name=good", answer_deadline_s=0.2)
        for _ in range(4):
            client = await rig.dial()
            await client.send(handshake())
            assert (await client.head())[0] == 101
            assert await client.frame() == (0x81, b"ok")
        await eventually(lambda: rig.directory.groups.nodes["late"].load == 0)
        await eventually(lambda: rig.directory.groups.nodes["good"].connections == 4)

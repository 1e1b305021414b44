"""Hostile clients: no relay opens for them, their connection ends, and no other client notices (PROTOCOL.md P-2.1)."""

import asyncio
import random
import socket
import time

import pytest
from gateway_kit import Raw, answer_101, eventually, handshake, masked, raw_backend, read_head, settled
from websockets.asyncio.client import connect
from websockets.asyncio.server import serve

PLAIN = b"GET /healthz HTTP/1.1\r\nHost: x\r\n\r\n"
INTERNAL = b"GET /internal HTTP/1.1\r\nHost: backend\r\n\r\n"


@pytest.fixture
async def obliging():
    """A backend that says 101 to anything, as a hostile or broken one would, and notes what it got."""
    got: list[bytes] = []

    async def oblige(reader, writer):
        got.append(await read_head(reader))
        index = len(got) - 1
        if b"sec-websocket-key" in got[index]:
            writer.write(answer_101(got[index]))
        while piece := await reader.read(65536):
            got[index] += piece

    async with raw_backend(oblige) as url:
        yield url, got


# Handshakes that other proxies let through. The rows about answers are in
# test_hostile_backend.py.
NO_HANDSHAKE = {
    "h2c": (400, handshake(Upgrade="h2c")),
    "POST": (405, handshake().replace(b"GET", b"POST", 1)),
    "no key": (400, handshake(Sec_WebSocket_Key=None)),
    "version 777": (426, handshake(Sec_WebSocket_Version="777")),
    "no version": (426, handshake(Sec_WebSocket_Version=None)),
    "upgrade without connection": (400, handshake(Connection=None)),
    "connection without upgrade": (400, handshake(Upgrade=None)),
    "two upgrades": (400, handshake(Upgrade="websocket, h2c")),
    "short key": (400, handshake(key="c2hvcnQ=")),
    "http/1.0": (505, handshake().replace(b"HTTP/1.1", b"HTTP/1.0", 1)),
    "with a body": (400, handshake(Content_Length="40")),
    "chunked": (400, handshake(Transfer_Encoding="chunked")),
    "length and chunked": (400, handshake(Content_Length="4", Transfer_Encoding="chunked")),
    "two lengths": (400, handshake(Content_Length="0").replace(b"\r\n\r\n", b"\r\nContent-Length: 4\r\n\r\n", 1)),
    "two hosts": (400, handshake().replace(b"\r\n", b"\r\nHost: other\r\n", 1)),
    "no host": (400, handshake(Host=None)),
    "two keys": (400, handshake().replace(b"\r\n", b"\r\nSec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==\r\n", 1)),
    "folded header": (400, handshake(X_A="a\r\n b")),
    "space before the colon": (400, handshake().replace(b"Upgrade:", b"Upgrade :", 1)),
    "empty header name": (400, handshake().replace(b"\r\n", b"\r\n: x\r\n", 1)),
    "control character in a name": (400, handshake().replace(b"\r\n", b"\r\nX\x01: x\r\n", 1)),
    "NUL in a value": (400, handshake(X_A="a\0b")),
    "CR in a value": (400, handshake(X_A="a\rb")),
    "LF in a value": (400, handshake(X_A="a\nX-B: b")),
    "bare LF": (400, handshake().replace(b"\r\n", b"\n")),
    "absolute target of another scheme": (400, handshake("ftp://other/")),
    "absolute target with a user": (400, handshake("http://u@other/")),
    "fragment": (400, handshake("/a#b")),
    "no target": (400, handshake("")),
    "CONNECT": (400, b"CONNECT backend:80 HTTP/1.1\r\nHost: x\r\n\r\n"),
    "own path": (400, handshake("/gateway")),
    "http/0.9": (505, b"GET /\r\n\r\n"),
    "http/2": (505, b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"),
    "TLS": (400, b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03"),
    "garbage": (400, b"\x00\xff" * 50),
}


@pytest.mark.parametrize("name", NO_HANDSHAKE)
async def test_no_tunnel_without_a_handshake(start_rig, obliging, name):
    url, got = obliging
    rig = await start_rig(url)
    status, request = NO_HANDSHAKE[name]
    client = await rig.dial()
    await client.send(request + INTERNAL)
    answered, headers, body = await client.response()
    assert answered == status
    assert set(body) == {"error"}
    assert headers["connection"] == "close"
    client.writer.write_eof()
    assert await client.rest() == b""
    assert not any(b"/internal" in piece for piece in got)
    assert rig.stats.relays_opened == 0
    await rig.idle()


@pytest.mark.parametrize("frame", [INTERNAL, b"\x81\x01x", masked(0x83, b""), masked(0xC1, b"x"), masked(0x80, b"x")])
async def test_bytes_that_are_no_frames_end_the_tunnel(start_rig, obliging, frame):
    url, got = obliging
    rig = await start_rig(url)
    client = await rig.dial()
    await client.send(handshake("/ok") + masked(0x81, b"fine"))
    assert (await client.head())[0] == 101
    await eventually(lambda: masked(0x81, b"fine") in got[0])
    await client.send(frame)
    first, payload = await client.frame()
    assert (first, payload[:2]) == (0x88, b"\x03\xea")
    assert await client.rest() == b""
    await rig.idle()
    assert not got[0].endswith(frame)
    assert rig.stats.cut == {"client_frame": 1}


async def test_unmasked_bytes_that_come_with_the_handshake_never_pass(start_rig, obliging):
    url, got = obliging
    rig = await start_rig(url)
    client = await rig.dial()
    await client.send(handshake("/ok") + INTERNAL)
    assert (await client.head())[0] == 101
    assert (await client.frame())[0] == 0x88
    await client.rest()
    await rig.idle()
    assert b"/internal" not in got[0]


@pytest.mark.parametrize(
    "request_", [b"GET /" + b"a" * 20000, b"GET / HTTP/1.1\r\nHost: x\r\nX: " + b"a" * 20000 + b"\r\n\r\n",
                 b"GET / HTTP/1.1\r\nHost: x\r\n" + b"X: y\r\n" * 100 + b"\r\n"],
    ids=["target", "header", "count"],
)  # fmt: skip
async def test_giant_heads_are_refused(start_rig, request_):
    rig = await start_rig()
    client = await rig.dial()
    await client.send(request_)
    status, headers, _ = await client.response()
    assert status == 431
    assert headers["connection"] == "close"


async def test_a_head_that_never_ends_is_refused_at_its_bound(start_rig):
    rig = await start_rig()
    client = await rig.dial()
    await client.send(b"GET / HTTP/1.1\r\nHost: x\r\nX: ")
    answer = asyncio.create_task(client.response())
    for _ in range(10_000):
        if answer.done():
            break
        await client.send(b"a" * 100)
        await asyncio.sleep(0)
    assert (await answer)[0] == 431
    assert rig.stats.responses[431] == 1


async def test_slowloris_is_ended_whatever_it_sends(start_rig):
    rig = await start_rig(head_deadline_s=0.4)
    begun = time.monotonic()
    client = await rig.dial()
    reading = asyncio.create_task(client.response())
    for byte in b"GET /healthz HTTP/1.1\r\nHost: x\r\nX-Slow: " + b"a" * 1000:
        if reading.done():
            break
        await client.send(bytes((byte,)))
        await asyncio.sleep(0.02)
    status, _, _ = await reading
    assert status == 408
    assert time.monotonic() - begun < 5
    silent = await rig.dial()
    assert await silent.rest() == b""


async def test_slow_clients_do_not_shut_others_out(start_rig):
    async def echo(connection):
        async for message in connection:
            await connection.send(message)

    async with serve(echo, "127.0.0.1", 0) as server:
        rig = await start_rig(f"ws://127.0.0.1:{server.sockets[0].getsockname()[1]}", heads_pending_max=50)
        slow = [await rig.dial() for _ in range(120)]
        for client in slow:
            client.writer.write(b"GET / HT")
        await eventually(lambda: rig.stats.evicted >= 70)
        assert rig.stats.heads_pending <= 50
        async with connect(rig.url()) as client:
            await client.send("in")
            assert await client.recv() == "in"


async def test_pipelined_requests_without_reading_are_stopped(start_rig):
    rig = await start_rig()
    sock = socket.socket()
    sock.setblocking(False)
    loop = asyncio.get_running_loop()
    with sock:
        await loop.sock_connect(sock, ("127.0.0.1", rig.gateway.port))

        async def ask_on_and_on():
            while True:
                await loop.sock_sendall(sock, PLAIN * 1000)

        asking = asyncio.create_task(ask_on_and_on())
        await eventually(lambda: rig.stats.requests["healthz"] > 1000)
        await settled(lambda: rig.stats.requests["healthz"])
        asking.cancel()
        await asyncio.gather(asking, return_exceptions=True)
    assert rig.stats.requests["healthz"] > 1000


async def test_a_client_that_leaves_during_the_handshake_costs_nothing(start_rig):
    shaken = asyncio.Event()
    go = asyncio.Event()

    async def slow(reader, writer):
        head = await read_head(reader)
        shaken.set()
        await go.wait()
        writer.write(answer_101(head))
        await reader.read()

    async with raw_backend(slow) as url:
        rig = await start_rig(url)
        client = await rig.dial()
        await client.send(handshake())
        await asyncio.wait_for(shaken.wait(), 10)
        client.reset()
        go.set()
        await rig.idle()
        await eventually(lambda: all(node.load == 0 for node in rig.directory.groups.nodes.values()))


async def test_too_many_handshakes_are_shed(start_rig):
    go = asyncio.Event()

    async def slow(reader, writer):
        head = await read_head(reader)
        await go.wait()
        writer.write(answer_101(head))
        await reader.read()

    async with raw_backend(slow) as url:
        rig = await start_rig(url, handshakes_pending_max=2, relays_max=3)
        waiting = [await rig.dial() for _ in range(2)]
        for client in waiting:
            await client.send(handshake())
        await eventually(lambda: rig.stats.handshakes_pending == 2)
        third = await rig.dial()
        await third.send(handshake())
        status, headers, _ = await third.response()
        assert status == 503
        assert "retry-after" in headers
        go.set()
        for client in waiting:
            assert (await client.head())[0] == 101
        fourth, fifth = await rig.dial(), await rig.dial()
        await fourth.send(handshake())
        assert (await fourth.head())[0] == 101
        await fifth.send(handshake())
        assert (await fifth.head())[0] == 503


async def test_random_heads_never_break_the_gateway(start_rig, obliging):
    url, got = obliging
    rig = await start_rig(url)
    rng = random.Random(20)
    seeds = [request for _, request in NO_HANDSHAKE.values()] + [PLAIN, handshake()]
    for _ in range(300):
        data = bytearray(rng.choice(seeds))
        for _ in range(rng.randint(1, 8)):
            data[rng.randrange(len(data))] = rng.randrange(256)
        client = await rig.dial()
        await client.send(bytes(data) + INTERNAL)
        client.writer.write_eof()
        await client.rest()
    await rig.idle()
    assert not any(b"/internal" in piece for piece in got)
    client = await rig.dial()
    await client.send(PLAIN)
    assert (await client.response())[0] == 200


async def test_random_frames_never_break_the_gateway(start_rig):
    async def swallow(reader, writer):
        writer.write(answer_101(await read_head(reader)))
        while await reader.read(65536):
            pass

    async with raw_backend(swallow) as url:
        rig = await start_rig(url)
        rng = random.Random(21)
        for _ in range(150):
            client: Raw = await rig.dial()
            await client.send(handshake())
            assert (await client.head())[0] == 101
            await client.send(masked(0x81, rng.randbytes(rng.randint(0, 200))) * 3 + rng.randbytes(rng.randint(1, 300)))
            client.writer.write_eof()
            await client.rest()
        await rig.idle()

"""A relay changes nothing: messages, control frames, closes and ends of streams come out as they went in."""

import asyncio

import pytest
import websockets
from gateway_kit import Raw, answer_101, eventually, handshake, masked, raw_backend, read_head, unused_port
from websockets.asyncio.client import connect
from websockets.asyncio.server import serve
from websockets.exceptions import ConnectionClosed


async def _echo(connection):
    async for message in connection:
        await connection.send(message)


@pytest.fixture
async def echo():
    def choose(connection, offered):
        return next((name for name in ("chat.v2", "chat.v1") if name in offered), None)

    async with serve(
        _echo, "127.0.0.1", 0, max_size=None, subprotocols=["chat.v2", "chat.v1"], select_subprotocol=choose
    ) as server:
        yield f"ws://127.0.0.1:{server.sockets[0].getsockname()[1]}"


async def test_messages_of_every_size_pass(start_rig, echo):
    rig = await start_rig(echo)
    async with connect(rig.url("/chat?room=1"), max_size=None, compression=None) as client:
        for message in ("", "hello", "ä" * 70, b"\0" * 125, b"\1" * 126, b"x" * 65535, b"y" * 65536, b"z" * (1 << 20)):
            await client.send(message)
            assert await client.recv() == message
    assert rig.stats.relays_opened == 1
    await rig.idle()
    assert rig.stats.bytes_to_node > 1 << 20
    assert rig.stats.bytes_to_client > 1 << 20
    await eventually(lambda: rig.directory.groups.nodes[rig.backends[0].name].load == 0)


async def test_compression_and_subprotocols_are_the_peers_affair(start_rig, echo):
    rig = await start_rig(echo)
    async with connect(rig.url(), subprotocols=["chat.v1"], compression="deflate") as client:
        assert client.subprotocol == "chat.v1"
        assert client.protocol.extensions
        text = "again and " * 1000
        await client.send(text)
        assert await client.recv() == text


async def test_fragments_and_pings_between_them_pass(start_rig, echo):
    rig = await start_rig(echo)
    async with connect(rig.url()) as client:

        async def pieces():
            for piece in ("one ", "two ", "three"):
                yield piece
                await (await client.ping(b"between"))

        await client.send(pieces())
        assert await client.recv() == "one two three"


CODES = [1000, 1001, 1002, 1003, *range(1007, 1015), 3000, 4999]


@pytest.mark.parametrize("code", CODES)
async def test_close_codes_pass_both_ways(start_rig, code):
    seen = asyncio.get_running_loop().create_future()

    async def server_closes(connection):
        if connection.request.path == "/server":
            await connection.close(code, "why not ä")
            return
        try:
            await connection.recv()
        except ConnectionClosed as closed:
            seen.set_result((closed.rcvd.code, closed.rcvd.reason))

    async with serve(server_closes, "127.0.0.1", 0) as server:
        rig = await start_rig(f"ws://127.0.0.1:{server.sockets[0].getsockname()[1]},on-move=close")
        client = await connect(rig.url("/server"))
        with pytest.raises(ConnectionClosed) as caught:
            await client.recv()
        assert (caught.value.rcvd.code, caught.value.rcvd.reason) == (code, "why not ä")
        client = await connect(rig.url("/client"))
        await client.close(code, "because ß")
        assert await asyncio.wait_for(seen, 10) == (code, "because ß")
        await rig.idle()
        assert not rig.stats.cut


async def test_bytes_after_the_heads_are_not_lost(start_rig):
    got = asyncio.get_running_loop().create_future()

    async def speaks_first(reader, writer):
        writer.write(answer_101(await read_head(reader)) + b"\x81\x05early")
        got.set_result(await reader.readexactly(11))

    async with raw_backend(speaks_first) as url:
        rig = await start_rig(url)
        client = await rig.dial()
        await client.send(handshake() + masked(0x81, b"hasty"))
        status, _ = await client.head()
        assert status == 101
        assert await client.frame() == (0x81, b"early")
        assert await asyncio.wait_for(got, 10) == masked(0x81, b"hasty")


async def test_the_heads_pass_rebuilt(start_rig):
    heads = asyncio.Queue()

    async def note(reader, writer):
        head = await read_head(reader)
        await heads.put(head.decode())
        writer.write(answer_101(head, "Set-Cookie: a=b", "X-Hop: 1", "Connection: X-Hop", "Content-Length: 0"))
        await reader.read()

    async with raw_backend(note) as url:
        rig = await start_rig(url + "/app")
        client = await rig.dial()
        lies = dict.fromkeys(["X_Forwarded_For", "X_Forwarded_Host", "Forwarded", "X_Real_IP"], "6.6.6.6")
        request = handshake(
            "/room%20a/b?x=%2F&key=k&&y",
            Host="gateway.test:8000",
            Connection="keep-alive, Upgrade, X-Secret",
            X_Secret="s",
            TE="trailers",
            Cookie="c=d",
            Origin="https://page.test",
            X_Forwarded_Proto="https",
            **lies,
        )
        await client.send(request)
        status, headers = await client.head()
        assert status == 101
        assert headers["set-cookie"] == "a=b"
        assert headers["connection"] == "Upgrade"
        assert not {"x-hop", "content-length"} & set(headers)
        lines = (await heads.get()).split("\r\n")
        assert lines[0] == "GET /app/room%20a/b?x=%2F&key=k&&y HTTP/1.1"
        sent = {line.split(": ")[0].lower(): line.split(": ", 1)[1] for line in lines[1:] if line}
        assert len(sent) == len([line for line in lines[1:] if line])
        assert sent["host"] == "gateway.test:8000"
        assert sent["cookie"] == "c=d"
        assert sent["origin"] == "https://page.test"
        assert sent["connection"] == "Upgrade"
        assert sent["x-forwarded-for"] == "127.0.0.1"
        assert sent["x-forwarded-host"] == "gateway.test:8000"
        assert sent["x-forwarded-proto"] == "http"
        assert not {"x-secret", "te", "forwarded", "x-real-ip", "keep-alive"} & set(sent)
        await client.close()


async def test_a_trusted_proxy_is_believed(start_rig):
    heads = asyncio.Queue()

    async def note(reader, writer):
        head = await read_head(reader)
        await heads.put(head.decode().lower())
        writer.write(answer_101(head))

    async with raw_backend(note) as url:
        rig = await start_rig(url, trusted_proxies=("127.0.0.0/8", "10.0.0.0/8"))
        client = await rig.dial()
        await client.send(
            handshake(
                X_Forwarded_For="6.6.6.6, 192.0.2.7, 10.1.1.1", X_Forwarded_Proto="https", X_Forwarded_Host="app.test"
            )
        )
        await client.head()
        head = await heads.get()
        assert "x-forwarded-for: 192.0.2.7, 10.1.1.1, 127.0.0.1\r\n" in head
        assert "x-forwarded-proto: https\r\n" in head
        assert "x-forwarded-host: app.test\r\n" in head
        await client.close()


async def test_a_backend_that_is_down_is_passed_over(start_rig, echo):
    rig = await start_rig(f"ws://127.0.0.1:{unused_port()},name=down", f"{echo},name=up", policy="round-robin")
    for _ in range(6):
        async with connect(rig.url()) as client:
            await client.send("x")
            assert await client.recv() == "x"
    await rig.idle()
    assert rig.stats.retries > 0
    await eventually(
        lambda: {name: node.load for name, node in rig.directory.groups.nodes.items()} == {"down": 0, "up": 0}
    )


async def test_all_backends_down_is_a_502(start_rig):
    rig = await start_rig(f"ws://127.0.0.1:{unused_port()}", f"ws://127.0.0.1:{unused_port()}")
    with pytest.raises(websockets.InvalidStatus) as caught:
        await connect(rig.url())
    assert caught.value.response.status_code == 502
    assert rig.stats.relays_opened == 0
    await eventually(lambda: all(node.load == 0 for node in rig.directory.groups.nodes.values()))


async def test_no_backend_is_a_503_with_a_pause(start_rig):
    rig = await start_rig()
    with pytest.raises(websockets.InvalidStatus) as caught:
        await connect(rig.url())
    assert caught.value.response.status_code == 503
    assert 1 <= int(caught.value.response.headers["Retry-After"]) <= 5


async def test_a_refusal_passes_as_it_is(start_rig):
    async def refuse(reader, writer):
        await read_head(reader)
        writer.write(
            b"HTTP/1.1 403 Forbidden\r\nContent-Type: text/plain\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
            b"Set-Cookie: a=b\r\nSet-Cookie: c=d; Path=/\r\nCache-Control: no-store\r\nRetry-After: 7\r\n"
            b"WWW-Authenticate: Bearer\r\nX-Hop: 1\r\nConnection: X-Hop\r\nKeep-Alive: timeout=5\r\n"
            b"Sec-WebSocket-Accept: x\r\nX-Reason: quota\r\nContent-Length: 4\r\n\r\nnope"
        )
        await reader.read()

    async with raw_backend(refuse) as url:
        rig = await start_rig(url)
        client = await rig.dial()
        await client.send(handshake())
        head, _, body = (await client.rest()).partition(b"\r\n\r\n")
        lines = head.decode().split("\r\n")
        assert lines[0] == "HTTP/1.1 403 Forbidden"
        assert sorted(lines[1:], key=str.lower) == [
            "cache-control: no-store",
            "Connection: close",
            "Content-Length: 4",
            "content-type: text/plain",
            "retry-after: 7",
            "set-cookie: a=b",
            "set-cookie: c=d; Path=/",
            "www-authenticate: Bearer",
            "x-reason: quota",
        ]
        assert body == b"nope"
        assert rig.stats.refused == {"status": 1}
        await eventually(lambda: rig.directory.groups.nodes[rig.backends[0].name].load == 0)


@pytest.mark.parametrize(
    ("answer", "passed"),
    [
        (
            b"307 Temporary Redirect\r\nLocation: https://other.test/room?x=1\r\nContent-Length: 0",
            b"307 Temporary Redirect",
        ),
        (b"401 No\r\nWWW-Authenticate: Basic\r\nContent-Length: 0", b"401 Unauthorized"),
        (b"429 Slow\r\nRetry-After: 9\r\nTransfer-Encoding: chunked", b"429 Too Many Requests"),
        (b"404 None", b"404 Not Found"),
    ],
    ids=["redirect", "401", "chunked", "until the end"],
)
async def test_what_a_client_must_see_reaches_it(start_rig, answer, passed):
    async def refuse(reader, writer):
        await read_head(reader)
        chunked = b"Transfer-Encoding" in answer
        writer.write(b"HTTP/1.1 " + answer + b"\r\n\r\n")
        if b"Content-Length" not in answer:
            writer.write(b"4\r\nnope\r\n0\r\n\r\n" if chunked else b"nope")

    async with raw_backend(refuse) as url:
        rig = await start_rig(url, url.replace("127.0.0.1", "localhost"))
        client = await rig.dial()
        await client.send(handshake())
        head, _, body = (await client.rest()).partition(b"\r\n\r\n")
        assert head.startswith(b"HTTP/1.1 " + passed + b"\r\n")
        for line in answer.split(b"\r\n")[1:]:
            name = line.partition(b":")[0].lower()
            assert (name + b": " in head) == (name not in (b"transfer-encoding", b"content-length"))
        assert b"content-type" not in head.lower()
        assert body == (b"" if b"Content-Length" in answer else b"nope")
        assert rig.stats.retries == 0


async def test_of_a_long_refusal_a_part_passes_unless_it_is_encoded(start_rig):
    async def refuse(reader, writer):
        head = await read_head(reader)
        kind = b"Content-Encoding: gzip\r\n" if b"/zip" in head else b""
        writer.write(b"HTTP/1.1 403 No\r\nContent-Type: text/html\r\n" + kind + b"\r\n" + b"x" * 5000)

    async with raw_backend(refuse) as url:
        rig = await start_rig(url, refusal_bytes_max=4000)
        for path, size in (("/", 4000), ("/zip", 0)):
            client = await rig.dial()
            await client.send(handshake(path))
            head, _, body = (await client.rest()).partition(b"\r\n\r\n")
            assert len(body) == size
            assert (b"content-type: text/html" in head) == (size > 0)
            assert b"content-encoding" not in head


async def test_a_busy_backends_own_pause_is_told(start_rig):
    async def refuse(reader, writer):
        await read_head(reader)
        writer.write(b"HTTP/1.1 503 Full\r\nRetry-After: 77\r\nContent-Length: 0\r\n\r\n")

    async with raw_backend(refuse) as url:
        rig = await start_rig(url)
        client = await rig.dial()
        await client.send(handshake())
        status, headers, _ = await client.response()
        assert (status, headers["retry-after"]) == (503, "77")


@pytest.mark.parametrize(
    "hints",
    [
        b"HTTP/1.1 100 Continue\r\n\r\n",
        b"HTTP/1.1 103 Early Hints\r\nLink: </a.css>; rel=preload\r\nSet-Cookie: early=1\r\n\r\n",
        b"HTTP/1.1 102 Processing\r\n\r\nHTTP/1.1 103 Early Hints\r\n\r\nHTTP/1.1 100 Continue\r\n\r\n",
    ],
    ids=["100", "103", "three"],
)
@pytest.mark.parametrize("piece", [1 << 16, 5], ids=["whole", "in pieces"])
async def test_interim_answers_are_skipped(start_rig, hints, piece):
    async def hint(reader, writer):
        whole = hints + answer_101(await read_head(reader)) + b"\x81\x02ok"
        for start in range(0, len(whole), piece):
            writer.write(whole[start : start + piece])
            await writer.drain()
            await asyncio.sleep(0)
        await reader.read()

    async with raw_backend(hint) as url:
        rig = await start_rig(url)
        client = await rig.dial()
        await client.send(handshake())
        status, headers = await client.head()
        assert status == 101
        assert not {"link", "set-cookie"} & set(headers)
        assert await client.frame() == (0x81, b"ok")
        await client.close()


async def test_half_closes_pass_after_what_is_pending(start_rig):
    async def count_until_end(reader, writer):
        writer.write(answer_101(await read_head(reader)))
        got = await reader.read()
        writer.write(b"\x81\x06" + str(len(got)).zfill(6).encode() + b"\x88\x02\x03\xe8")
        writer.write_eof()

    async with raw_backend(count_until_end) as url:
        rig = await start_rig(url)
        client = await rig.dial()
        frame = masked(0x82, b"m" * 60000)
        await client.send(handshake())
        await client.head()
        await client.send(frame * 10)
        client.writer.write_eof()
        assert await client.frame() == (0x81, str(len(frame) * 10).zfill(6).encode())
        assert await client.frame() == (0x88, b"\x03\xe8")
        assert await client.rest() == b""
        await rig.idle()
        assert not rig.stats.cut


async def test_a_reset_client_ends_the_backend_too(start_rig):
    ended = asyncio.Event()

    async def until_end(reader, writer):
        writer.write(answer_101(await read_head(reader)))
        try:
            await reader.read()
        finally:
            ended.set()

    async with raw_backend(until_end) as url:
        rig = await start_rig(url)
        client = await rig.dial()
        await client.send(handshake())
        await client.head()
        client.reset()
        await asyncio.wait_for(ended.wait(), 10)
        await rig.idle()


@pytest.mark.parametrize("reset", [False, True])
async def test_a_lost_backend_is_told_as_1012(start_rig, reset):
    go = asyncio.Event()

    async def die(reader, writer):
        writer.write(answer_101(await read_head(reader)) + b"\x81\x02ok")
        await go.wait()
        if reset:
            Raw(reader, writer).reset()

    async with raw_backend(die) as url:
        rig = await start_rig(f"{url},on-move=close")
        client = await connect(rig.url())
        assert await client.recv() == "ok"
        go.set()
        with pytest.raises(ConnectionClosed) as caught:
            await asyncio.wait_for(client.recv(), 10)
        assert (caught.value.rcvd.code, caught.value.rcvd.reason) == (1012, "node lost")
        await rig.idle()
        assert rig.stats.cut == {"node_lost": 1}


async def test_a_backend_lost_within_a_frame_aborts(start_rig):
    async def die(reader, writer):
        writer.write(answer_101(await read_head(reader)) + b"\x81\x05he")
        await asyncio.sleep(0.05)

    async with raw_backend(die) as url:
        rig = await start_rig(url)
        client = await rig.dial()
        await client.send(handshake())
        await client.head()
        assert await client.rest() == b"\x81\x05he"
        await rig.idle()


async def test_stopping_tells_both_ends(start_rig):
    seen = asyncio.get_running_loop().create_future()

    async def wait(connection):
        await connection.wait_closed()
        seen.set_result(connection.close_code)

    async with serve(wait, "127.0.0.1", 0) as server:
        rig = await start_rig(f"ws://127.0.0.1:{server.sockets[0].getsockname()[1]}")
        client = await connect(rig.url())
        await rig.stop()
        await client.wait_closed()
        assert client.close_code == 1012
        assert await asyncio.wait_for(seen, 10) == 1001
        assert rig.stats.relays_open == 0


async def test_after_both_closes_tcp_ends_in_time(start_rig):
    async def never_closes(reader, writer):
        writer.write(answer_101(await read_head(reader)) + b"\x88\x02\x03\xe8")
        await reader.read()
        await asyncio.sleep(30)

    async with raw_backend(never_closes) as url:
        rig = await start_rig(url, linger_s=0.2)
        client = await rig.dial()
        await client.send(handshake())
        await client.head()
        await client.frame()
        await client.send(masked(0x88, b"\x03\xe8"))
        assert await client.rest() == b""
        await rig.idle()
        assert rig.stats.cut == {"deadline": 1}

"""Hostile plain HTTP: no byte of one request or answer is ever taken for a part of another (PROTOCOL.md P-3.15)."""

import asyncio
import random

import pytest
from gateway_kit import PATIENCE_S, answer_101, eventually, raw_backend, read_head, resident_bytes
from http_kit import ROUTE, Server, answer_of, idle, request
from test_hostile_client import INTERNAL, NO_HANDSHAKE

HOST = b"Host: x\r\n"
POST = b"POST / HTTP/1.1\r\n" + HOST
CHUNKED = b"Transfer-Encoding: chunked\r\n"

# Known forms of request smuggling: every one is refused, and its connection ends.
SMUGGLED = {
    "length and chunks": (400, POST + b"Content-Length: 6\r\n" + CHUNKED + b"\r\n0\r\n\r\nG"),
    "chunks and length": (400, POST + CHUNKED + b"Content-Length: 4\r\n\r\n5c\r\n"),
    "two lengths": (400, POST + b"Content-Length: 8\r\nContent-Length: 7\r\n\r\n12345678"),
    "two equal lengths": (400, POST + b"Content-Length: 1\r\nContent-Length: 1\r\n\r\nx"),
    "list of lengths": (400, POST + b"Content-Length: 1, 1\r\n\r\nx"),
    "length with a sign": (400, POST + b"Content-Length: +1\r\n\r\nx"),
    "negative length": (400, POST + b"Content-Length: -1\r\n\r\nx"),
    "hexadecimal length": (400, POST + b"Content-Length: 0x1\r\n\r\nx"),
    "length with an underscore": (400, POST + b"Content-Length: 1_0\r\n\r\n0123456789"),
    "empty length": (400, POST + b"Content-Length: \r\n\r\n"),
    "length of other digits": (400, POST + b"Content-Length: \xb2\r\n\r\nxx"),
    "length that overflows": (400, POST + b"Content-Length: 18446744073709551617\r\n\r\nx"),
    "length and a no-break space": (400, POST + b"Content-Length: 1\xa0\r\n\r\nx"),
    "two codings": (400, POST + CHUNKED + CHUNKED + b"\r\n0\r\n\r\n"),
    "chunked twice": (501, POST + b"Transfer-Encoding: chunked, chunked\r\n\r\n0\r\n\r\n"),
    "chunked and identity": (400, POST + CHUNKED + b"Transfer-Encoding: identity\r\n\r\n0\r\n\r\n"),
    "identity": (501, POST + b"Transfer-Encoding: identity\r\n\r\n"),
    "gzip before chunked": (501, POST + b"Transfer-Encoding: gzip, chunked\r\n\r\n0\r\n\r\n"),
    "chunked before gzip": (501, POST + b"Transfer-Encoding: chunked, gzip\r\n\r\n0\r\n\r\n"),
    "xchunked": (501, POST + b"Transfer-Encoding: xchunked\r\n\r\n0\r\n\r\n"),
    "quoted chunked": (501, POST + b'Transfer-Encoding: "chunked"\r\n\r\n0\r\n\r\n'),
    "chunked with a parameter": (501, POST + b"Transfer-Encoding: chunked;q=1\r\n\r\n0\r\n\r\n"),
    "empty coding": (501, POST + b"Transfer-Encoding: \r\n\r\n"),
    "coding behind a vertical tab": (400, POST + b"Transfer-Encoding: \x0bchunked\r\n\r\n0\r\n\r\n"),
    "coding before a NUL": (400, POST + b"Transfer-Encoding: chunked\0\r\n\r\n0\r\n\r\n"),
    "coding and a no-break space": (501, POST + b"Transfer-Encoding: chunked\xa0\r\n\r\n0\r\n\r\n"),
    "coding behind a bare LF": (400, POST + b"X: y\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n"),
    "coding behind a bare CR": (400, POST + b"X: y\rTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n"),
    "folded coding": (400, POST + b"Transfer-Encoding:\r\n chunked\r\n\r\n0\r\n\r\n"),
    "folded length": (400, POST + b"X: y\r\n Content-Length: 5\r\n\r\nhello"),
    "first line folded": (400, b"POST / HTTP/1.1\r\n Host: x\r\nContent-Length: 1\r\n\r\nx"),
    "space before the colon": (400, POST + b"Transfer-Encoding : chunked\r\n\r\n0\r\n\r\n"),
    "tab before the colon": (400, POST + b"Content-Length\t: 5\r\n\r\nhello"),
    "name in brackets": (400, POST + b"Content-Length[]: 5\r\n\r\nhello"),
    "line without a colon": (400, POST + b"Content-Length 5\r\n\r\nhello"),
    "empty name": (400, POST + b": 5\r\n\r\nhello"),
    "chunks over HTTP/1.0": (400, b"POST / HTTP/1.0\r\n" + HOST + CHUNKED + b"\r\n0\r\n\r\n"),
    "two hosts": (400, b"GET / HTTP/1.1\r\nHost: x\r\nHost: y\r\n\r\n"),
    "no host": (400, b"GET / HTTP/1.1\r\n\r\n"),
    "bare LF after the request line": (400, b"GET / HTTP/1.1\nHost: x\r\n\r\n"),
    "bare LF lines": (400, b"GET / HTTP/1.1\nHost: x\n\n"),
    "space in the target": (400, b"GET /a b HTTP/1.1\r\n" + HOST + b"\r\n"),
    "two spaces": (400, b"GET  / HTTP/1.1\r\n" + HOST + b"\r\n"),
    "tab for a space": (400, b"GET\t/ HTTP/1.1\r\n" + HOST + b"\r\n"),
    "space after the version": (400, b"GET / HTTP/1.1 \r\n" + HOST + b"\r\n"),
    "version 1.2": (505, b"GET / HTTP/1.2\r\n" + HOST + b"\r\n"),
    "version in lower case": (400, b"GET / http/1.1\r\n" + HOST + b"\r\n"),
    "version 01.1": (400, b"GET / HTTP/01.1\r\n" + HOST + b"\r\n"),
    "NUL in the target": (400, b"GET /\0 HTTP/1.1\r\n" + HOST + b"\r\n"),
    "raw bytes in the target": (400, b"GET /\xff HTTP/1.1\r\n" + HOST + b"\r\n"),
    "asterisk": (400, b"OPTIONS * HTTP/1.1\r\n" + HOST + b"\r\n"),
    "other authority": (400, b"GET http://a@b/ HTTP/1.1\r\n" + HOST + b"\r\n"),
    "CONNECT": (400, b"CONNECT b:80 HTTP/1.1\r\n" + HOST + b"\r\n"),
    "CONNECT with a path": (405, b"CONNECT / HTTP/1.1\r\n" + HOST + b"\r\n"),
    "TRACE": (405, b"TRACE / HTTP/1.1\r\n" + HOST + b"\r\n"),
    "unknown expectation": (417, POST + b"Expect: x\r\nContent-Length: 1\r\n\r\nx"),
    "giant head": (431, b"GET / HTTP/1.1\r\n" + HOST + b"X: " + b"x" * 20000 + b"\r\n\r\n"),
    "many headers": (431, b"GET / HTTP/1.1\r\n" + HOST + b"X: y\r\n" * 100 + b"\r\n"),
    "upgrade with a body": (400, POST.replace(b"POST", b"GET") + b"Connection: Upgrade\r\nUpgrade: websocket\r\n"
                            b"Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==\r\n"
                            b"Content-Length: 40\r\n\r\n"),
}  # fmt: skip

# Bodies that break a rule after the head was passed on.
BROKEN_BODIES = {
    "size with a sign": b"+5\r\nhello\r\n0\r\n\r\n",
    "negative size": b"-1\r\nhello\r\n0\r\n\r\n",
    "size with 0x": b"0x5\r\nhello\r\n0\r\n\r\n",
    "size with an underscore": b"1_0\r\n0123456789abcdef\r\n0\r\n\r\n",
    "size with a blank before": b" 5\r\nhello\r\n0\r\n\r\n",
    "size with a blank behind": b"5 \r\nhello\r\n0\r\n\r\n",
    "size that overflows": b"10000000000000005\r\nhello\r\n0\r\n\r\n",
    "empty size": b"\r\nhello\r\n0\r\n\r\n",
    "bare LF behind the size": b"5\nhello\r\n0\r\n\r\n",
    "bare CR in an extension": b"5;a\rb\r\nhello\r\n0\r\n\r\n",
    "bare LF in an extension": b"5;a\nb\r\nhello\r\n0\r\n\r\n",
    "NUL in an extension": b"5;a\0b\r\nhello\r\n0\r\n\r\n",
    "extension without a name": b"5;\r\nhello\r\n0\r\n\r\n",
    "long extension": b"5;" + b"a" * 1000 + b"\r\nhello\r\n0\r\n\r\n",
    "endless extension": b"5;" + b"a" * 1000,
    "data longer than the size": b"5\r\nhello!\r\n0\r\n\r\n",
    "bare LF behind the data": b"5\r\nhello\n0\r\n\r\n",
    "CR and something behind the data": b"5\r\nhello\rX0\r\n\r\n",
    "trailer that is no field": b"0\r\nno field\r\n\r\n",
    "folded trailer": b"0\r\nX: y\r\n z\r\n\r\n",
    "bare LF behind a trailer": b"0\r\nX: y\n\r\n",
    "giant trailers": b"0\r\n" + b"X: y\r\n" * 3000 + b"\r\n",
}


@pytest.mark.parametrize("name", SMUGGLED)
async def test_no_form_of_smuggling_reaches_a_backend(start_rig, name):
    status, sent = SMUGGLED[name]
    server = Server()
    async with raw_backend(server.run) as url:
        rig = await start_rig(url, routes=(ROUTE,))
        client = await rig.dial()
        await client.send(sent + INTERNAL)
        answered, headers, body = await client.response()
        assert answered == status
        assert (headers["connection"], set(body)) == ("close", {"error"})
        assert await client.rest() == b""
        assert server.asked == []
        await idle(rig)


@pytest.mark.parametrize("name", NO_HANDSHAKE)
async def test_no_tunnel_without_a_handshake_where_plain_http_passes(start_rig, name):
    got = []

    async def oblige(reader, writer):
        head = await read_head(reader)
        got.append(head)
        if b"sec-websocket-key" in head:
            writer.write(answer_101(head))
        else:
            writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n")
        while piece := await reader.read(65536):
            got.append(piece)

    async with raw_backend(oblige) as url:
        rig = await start_rig(url, routes=("path=/", "path=/http http=true"))
        status, sent = NO_HANDSHAKE[name]
        client = await rig.dial()
        await client.send(sent + INTERNAL)
        answered, _, body = await client.response()
        assert answered == status
        assert set(body) == {"error"}
        client.writer.write_eof()
        await client.rest()
        assert not any(b"/internal" in piece for piece in got)
        assert rig.stats.relays_opened == 0


@pytest.mark.parametrize("name", BROKEN_BODIES)
@pytest.mark.parametrize("cut", [False, True], ids=["at once", "byte by byte"])
async def test_a_body_that_breaks_a_rule_ends_its_request_and_its_connections(start_rig, name, cut):
    server = Server()
    async with raw_backend(server.run) as url:
        rig = await start_rig(url, routes=(ROUTE,), http_idle_s=PATIENCE_S)
        client = await rig.dial()
        whole = POST + CHUNKED + b"\r\n3\r\nabc\r\n"
        await client.send(whole)
        await eventually(lambda: server.asked)
        tail = BROKEN_BODIES[name] + (INTERNAL if "endless" not in name else b"")
        for piece in [tail[at : at + 1] for at in range(min(len(tail), 2000))] + [tail[2000:]] if cut else [tail]:
            if not client.writer.is_closing():
                client.writer.write(piece)
        answered, headers, _ = await client.response()
        assert (answered, headers["connection"]) == (400, "close")
        assert await client.rest() == b""
        await idle(rig)
        assert len(server.asked) == 1
        await eventually(lambda: rig.stats.backend_connections == 0)


# Answers of a backend that are no answers of HTTP/1.1: 502, and the connection to it is not used again.
WRONG_ANSWERS = {
    "not http": b"SSH-2.0-OpenSSH\r\n\r\n",
    "http/0.9": b"<html></html>\r\n\r\n",
    "http/2.0": b"HTTP/2.0 200 OK\r\nContent-Length: 0\r\n\r\n",
    "status 99": b"HTTP/1.1 099 X\r\nContent-Length: 0\r\n\r\n",
    "status 600": b"HTTP/1.1 600 X\r\nContent-Length: 0\r\n\r\n",
    "status 2000": b"HTTP/1.1 2000 X\r\nContent-Length: 0\r\n\r\n",
    "no status": b"HTTP/1.1\r\nContent-Length: 0\r\n\r\n",
    "status of other digits": b"HTTP/1.1 20\xb2 OK\r\nContent-Length: 0\r\n\r\n",
    "CR in the reason": b"HTTP/1.1 200 O\rK\r\nContent-Length: 0\r\n\r\n",
    "LF alone": b"HTTP/1.1 200 OK\nContent-Length: 0\n\r\n\r\n",
    "length and chunks": b"HTTP/1.1 200 OK\r\nContent-Length: 3\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
    "two lengths": b"HTTP/1.1 200 OK\r\nContent-Length: 3\r\nContent-Length: 4\r\n\r\nabcd",
    "wrong length": b"HTTP/1.1 200 OK\r\nContent-Length: x\r\n\r\n",
    "negative length": b"HTTP/1.1 200 OK\r\nContent-Length: -1\r\n\r\n",
    "unknown coding": b"HTTP/1.1 200 OK\r\nTransfer-Encoding: gzip, chunked\r\n\r\n0\r\n\r\n",
    "chunks over HTTP/1.0": b"HTTP/1.0 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
    "folded": b"HTTP/1.1 200 OK\r\nX: y\r\n z\r\nContent-Length: 0\r\n\r\n",
    "space before the colon": b"HTTP/1.1 200 OK\r\nContent-Length : 0\r\n\r\n",
    "NUL": b"HTTP/1.1 200 OK\r\nX: \0\r\nContent-Length: 0\r\n\r\n",
    "giant head": b"HTTP/1.1 200 OK\r\nX: " + b"x" * 20000 + b"\r\n\r\n",
    "endless head": b"HTTP/1.1 200 OK\r\nX: " + b"x" * 20000,
    "many headers": b"HTTP/1.1 200 OK\r\n" + b"X: y\r\n" * 100 + b"\r\n",
    "101": b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\r\n",
    "100 for ever": b"HTTP/1.1 100 Continue\r\n\r\n" * 1000,
    "wrong chunk at once": b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nxyz\r\n",
}


@pytest.mark.parametrize("name", WRONG_ANSWERS)
async def test_a_wrong_answer_is_a_502_or_a_cut(start_rig, name):
    async def serve(asked):
        asked.writer.write(WRONG_ANSWERS[name])
        await asked.reader.read()
        ended.set()

    ended = asyncio.Event()
    async with raw_backend(Server(serve).run) as url:
        rig = await start_rig(url, routes=(ROUTE,))
        client = await rig.dial()
        await client.send(request())
        if name == "wrong chunk at once":
            assert await client.rest() == b""
        else:
            assert (await answer_of(client))[0] == 502
        await asyncio.wait_for(ended.wait(), PATIENCE_S)
        assert rig.stats.exchange_failed == {"answer": 1}
        await idle(rig)


EXTRA = b"HTTP/1.1 200 OK\r\nContent-Length: 6\r\n\r\nstolen"


@pytest.mark.parametrize(
    "head", [b"Content-Length: 2\r\n\r\nok", b"Transfer-Encoding: chunked\r\n\r\n2\r\nok\r\n0\r\n\r\n"]
)
@pytest.mark.parametrize("later", [False, True], ids=["at once", "later"])
async def test_bytes_behind_an_answer_are_no_answer_to_the_next_request(start_rig, head, later):
    async def serve(asked):
        asked.writer.write(b"HTTP/1.1 200 OK\r\n" + head + (b"" if later else EXTRA))
        if later:
            await asyncio.sleep(0.05)
            asked.writer.write(EXTRA)

    server = Server(serve)
    async with raw_backend(server.run) as url:
        rig = await start_rig(url, routes=(ROUTE,))
        for _ in range(3):
            client = await rig.dial()
            await client.send(request())
            assert (await answer_of(client))[2] == b"ok"
            await eventually(lambda: rig.stats.backend_connections == 0)
        assert server.connections == 3


async def test_a_body_behind_an_answer_to_head_is_dropped_with_its_connection(start_rig):
    async def serve(asked):
        await asked.answer(b"stolen")

    server = Server(serve)
    async with raw_backend(server.run) as url:
        rig = await start_rig(url, routes=(ROUTE,))
        client = await rig.dial()
        for method, body in (("HEAD", b""), ("GET", b"stolen"), ("HEAD", b"")):
            await client.send(request(method=method))
            status, headers = await client.head()
            assert (status, headers["content-length"]) == (200, "6")
            assert await client.reader.readexactly(len(body)) == body


async def test_a_slow_body_does_not_hold_others_up_and_is_bounded(start_rig):
    server = Server()
    async with raw_backend(server.run) as url:
        rig = await start_rig(url, routes=(ROUTE,))
        slow = [await rig.dial() for _ in range(50)]
        for client in slow:
            await client.send(POST + b"Content-Length: 1000\r\n\r\nx")
        other = await rig.dial()
        await other.send(request())
        assert (await answer_of(other))[0] == 200
        await eventually(lambda: rig.stats.exchanges_open == 50)


async def test_broken_requests_by_the_thousand_confuse_nobody(start_rig):
    """Mutated requests beside good ones, whose answers are theirs; all memory comes back."""
    server = Server()
    rng = random.Random(7)
    seeds = [sent for _, sent in SMUGGLED.values()] + [
        POST + CHUNKED + b"\r\n" + body for body in BROKEN_BODIES.values()
    ]
    seeds += [request("/x", "POST", b"abc"), request("/y"), POST + CHUNKED + b"\r\n3\r\nabc\r\n0\r\n\r\n"]

    def mutated() -> bytes:
        data = bytearray(rng.choice(seeds)[:3000])
        for _ in range(rng.randint(0, 4)):
            at = rng.randrange(len(data))
            change = rng.randrange(4)
            if change == 0:
                data[at] = rng.randrange(256)
            elif change == 1:
                del data[at]
            elif change == 2:
                data.insert(at, rng.choice(b"\r\n\0 \t;:,0aF"))
            else:
                data[at:at] = rng.choice([b"\r\n", b"Content-Length: 3\r\n", CHUNKED, b"0\r\n\r\n", b"5\r\n"])
            if not data:
                break
        return bytes(data)

    async with raw_backend(server.run) as url:
        rig = await start_rig(url, routes=(ROUTE,), address_share=1.0)
        before = 0

        async def attack():
            client = await rig.dial("127.0.0.3")
            await client.send(mutated())
            client.writer.write_eof()
            await client.rest()
            await client.close()

        async def good(number: int):
            client = await rig.dial("127.0.0.2")
            for turn in range(3):
                await client.send(request(f"/{number}-{turn}", "POST", b"%d" % number))
                assert (await answer_of(client))[::2] == (200, b"/%d-%d %d" % (number, turn, number))
            await client.close()

        for number in range(40):
            await asyncio.gather(*(attack() for _ in range(50)), good(number))
            await rig.hang_up()
            if number == 10:
                before = resident_bytes()
        await idle(rig)
        assert resident_bytes() < before + (64 << 20)
        assert rig.stats.exchange_failed["fault"] == 0

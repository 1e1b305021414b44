"""Plain HTTP through a gateway: what passes, both ways, on connections that are used again (PROTOCOL.md P-3.15)."""

import asyncio
import time

import pytest
from gateway_kit import PATIENCE_S, answer_101, eventually, handshake, raw_backend, unused_port
from http_kit import ROUTE, Server, answer_of, idle, request
from test_tokens import good, revoke, verifier_of

from ringway.protocol.revocation import Revocation


async def test_requests_of_one_client_share_connections_on_both_sides(start_rig):
    server = Server()
    async with raw_backend(server.run) as url:
        rig = await start_rig(url, routes=(ROUTE,))
        client = await rig.dial()
        for number in range(5):
            await client.send(request(f"/a?n={number}", "POST", b"x" * number))
            assert await answer_of(client) == (
                200,
                {"content-length": str(7 + number)},
                f"/a?n={number} ".encode() + b"x" * number,
            )
        assert (server.connections, rig.stats.backend_connects, rig.stats.connections) == (1, 1, 1)
        await idle(rig)


async def test_pipelined_requests_are_answered_in_order(start_rig):
    server = Server()
    async with raw_backend(server.run) as url:
        rig = await start_rig(url, routes=(ROUTE,))
        client = await rig.dial()
        count = 50
        own = b"GET /healthz HTTP/1.1\r\nHost: x\r\n\r\n"
        await client.send(b"".join(request(f"/{n}", "POST", b"b" * n) + own for n in range(count)))
        for number in range(count):
            assert (await answer_of(client))[2] == f"/{number} ".encode() + b"b" * number
            assert (await answer_of(client))[2] == b'{"status":"ok"}'
        await idle(rig)


async def test_chunks_pass_both_ways_and_trailers_do_not(start_rig):
    async def serve(asked):
        body = await asked.read_body()
        asked.writer.write(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\nTrailer: X-T\r\n\r\n")
        asked.writer.write(b'%x;ext="a;b"\r\n%b\r\n0\r\nX-T: secret\r\n\r\n' % (len(body), body))

    server = Server(serve)
    async with raw_backend(server.run) as url:
        rig = await start_rig(url, routes=(ROUTE,))
        client = await rig.dial()
        for _ in range(2):
            await client.send(b"POST / HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n")
            await client.send(b"00A;x=y\r\n0123456789\r\n0\r\nX-Trailer: t\r\n\r\n")
            status, headers, body = await answer_of(client)
            assert (status, body) == (200, b"abc0123456789")
            assert "trailer" not in headers
        assert server.connections == 1
        assert "x-trailer" not in server.asked[0].headers


async def test_an_answer_without_a_length_ends_with_its_connection(start_rig):
    async def serve(asked):
        asked.writer.write(b"HTTP/1.1 200 OK\r\n\r\nall of it")
        asked.writer.close()

    async with raw_backend(Server(serve).run) as url:
        rig = await start_rig(url, routes=(ROUTE,))
        client = await rig.dial()
        for _ in range(2):
            await client.send(request())
            assert (await answer_of(client))[2] == b"all of it"
        old = await rig.dial()
        await old.send(b"GET / HTTP/1.0\r\n\r\n")
        _, headers = await old.head()
        assert "transfer-encoding" not in headers
        assert await old.rest() == b"all of it"


@pytest.mark.parametrize(
    ("method", "status", "length"),
    [("HEAD", "200 OK", "5"), ("GET", "304 Not Modified", "5"), ("GET", "204 No Content", None)],
)
async def test_answers_without_a_body_leave_the_connections_in_use(start_rig, method, status, length):
    async def serve(asked):
        asked.writer.write(f"HTTP/1.1 {status}\r\nContent-Length: 5\r\nETag: x\r\n\r\n".encode())

    server = Server(serve)
    async with raw_backend(server.run) as url:
        rig = await start_rig(url, routes=(ROUTE,))
        client = await rig.dial()
        for _ in range(3):
            await client.send(request(method=method))
            got, headers = await client.head()
            assert (got, headers.get("content-length"), headers["etag"]) == (int(status[:3]), length, "x")
        assert server.connections == 1


async def test_a_client_that_waits_for_100_gets_it_from_the_backend(start_rig):
    async def serve(asked):
        assert asked.headers["expect"] == "100-continue"
        asked.writer.write(b"HTTP/1.1 100 Continue\r\n\r\n")
        await asked.answer(await asked.read_body())

    async with raw_backend(Server(serve).run) as url:
        rig = await start_rig(url, routes=(ROUTE,))
        client = await rig.dial()
        await client.send(b"POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 3\r\nExpect: 100-continue\r\n\r\n")
        assert (await client.head())[0] == 100
        await client.send(b"abc")
        assert (await answer_of(client))[2] == b"abc"
        await client.send(request(method="POST", body=b"x").replace(b"\r\n", b"\r\nExpect: 200-ok\r\n", 1))
        assert (await answer_of(client))[0] == 417


async def test_interim_answers_pass_and_an_unasked_100_does_not(start_rig):
    async def serve(asked):
        asked.writer.write(b"HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 103 Early Hints\r\nLink: </x>\r\n\r\n")
        await asked.answer(b"done")

    async with raw_backend(Server(serve).run) as url:
        rig = await start_rig(url, routes=(ROUTE,))
        client = await rig.dial()
        await client.send(request())
        assert await client.head() == (103, {"link": "</x>"})
        assert (await answer_of(client))[2] == b"done"
        old = await rig.dial()
        await old.send(b"GET / HTTP/1.0\r\nHost: x\r\n\r\n")
        assert (await old.head())[0] == 200


async def test_an_early_answer_passes_while_the_body_is_being_sent(start_rig):
    async def serve(asked):
        await asked.answer(b"too large", "413 Content Too Large")
        while await asked.reader.read(65536):
            pass

    async with raw_backend(Server(serve).run) as url:
        rig = await start_rig(url, routes=(ROUTE,))
        client = await rig.dial()
        await client.send(b"POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 1000000\r\n\r\n" + b"x" * 1000)
        status, headers, body = await answer_of(client)
        assert (status, headers["connection"], body) == (413, "close", b"too large")
        assert await client.rest() == b""
        await idle(rig)


async def test_bodies_of_any_length_pass_with_bounded_memory(start_rig):
    """A side that does not read stops the writer: neither the gateway nor the kernel takes all of it."""
    size = 256 << 20
    reads = asyncio.Event()

    async def serve(asked):
        if asked.method == "POST":
            await reads.wait()
            left = int(asked.headers["content-length"])
            while left:
                left -= len(await asked.reader.read(1 << 20))
            await asked.answer(b"read")
            return
        asked.writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n" % size)
        piece = b"y" * (1 << 20)
        for _ in range(size >> 20):
            asked.writer.write(piece)
            await asked.writer.drain()
            sent.append(len(piece))

    sent: list[int] = []
    async with raw_backend(Server(serve).run) as url:
        rig = await start_rig(url, routes=(ROUTE,))
        client = await rig.dial()
        await client.send(request())
        await client.head()
        await eventually(lambda: len(sent) > 0)
        await asyncio.sleep(0.3)
        assert sum(sent) < size // 4
        got = 0
        while got < size:
            got += len(await asyncio.wait_for(client.reader.read(1 << 20), PATIENCE_S))
        up = await rig.dial()
        up.writer.write(b"POST / HTTP/1.1\r\nHost: x\r\nContent-Length: %d\r\n\r\n" % size)
        pushed = 0
        piece = b"z" * (1 << 20)
        try:
            async with asyncio.timeout(1):
                while pushed < size:
                    await up.send(piece)
                    pushed += len(piece)
        except TimeoutError:
            pushed += len(piece)  # it waits in the writer
        assert pushed < size // 4
        reads.set()
        while pushed < size:
            await up.send(piece)
            pushed += len(piece)
        assert (await answer_of(up))[2] == b"read"
        await idle(rig)


async def test_server_sent_events_come_one_by_one_and_their_end_is_seen(start_rig):
    ended = asyncio.Event()
    go = asyncio.Event()

    async def serve(asked):
        asked.writer.write(b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\n\r\n")
        asked.writer.write(b"data: 1\n\n")
        await go.wait()
        asked.writer.write(b"data: 2\n\n")
        assert await asked.reader.read() == b""
        ended.set()
        asked.writer.close()

    async with raw_backend(Server(serve).run) as url:
        rig = await start_rig(url, routes=(ROUTE,))
        client = await rig.dial()
        await client.send(request())
        await client.head()
        assert await client.reader.readexactly(14) == b"9\r\ndata: 1\n\n\r\n"
        node = next(iter(rig.directory.groups.nodes.values()))
        assert node.requests == 1
        go.set()
        assert await client.reader.readexactly(14) == b"9\r\ndata: 2\n\n\r\n"
        await client.close()
        await asyncio.wait_for(ended.wait(), PATIENCE_S)
        await idle(rig)
        assert rig.stats.exchange_failed == {"client": 1}


async def test_an_aborted_upload_is_an_aborted_upload_for_the_backend(start_rig):
    seen = asyncio.Event()

    async def serve(asked):
        with pytest.raises(asyncio.IncompleteReadError):
            await asked.read_body()
        seen.set()
        asked.writer.close()

    async with raw_backend(Server(serve).run) as url:
        rig = await start_rig(url, routes=(ROUTE,))
        client = await rig.dial()
        await client.send(b"POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 100\r\n\r\nabc")
        await eventually(lambda: rig.stats.backend_connections == 1)
        client.writer.write_eof()
        await asyncio.wait_for(seen.wait(), PATIENCE_S)
        assert await client.rest() == b""
        await idle(rig)


@pytest.mark.parametrize("head", [b"Content-Length: 10\r\n\r\nabc", b"Transfer-Encoding: chunked\r\n\r\na\r\nabc"])
async def test_an_answer_that_breaks_off_is_never_a_whole_answer(start_rig, head):
    async def serve(asked):
        asked.writer.write(b"HTTP/1.1 200 OK\r\n" + head)
        asked.writer.close()

    async with raw_backend(Server(serve).run) as url:
        rig = await start_rig(url, routes=(ROUTE,))
        client = await rig.dial()
        await client.send(request() + request("/next"))
        await client.head()
        rest = await client.rest()
        assert b"abc" in rest
        assert b"0\r\n\r\n" not in rest
        assert b"HTTP/1.1" not in rest
        await idle(rig)


async def test_a_used_connection_that_the_backend_has_closed_costs_no_request(start_rig):
    async def serve(asked):
        if server.connections == 1 and len(server.asked) == 2:
            asked.writer.close()  # it has idled too long, the backend says
            return
        await asked.read_body()
        await asked.answer(b"ok")

    server = Server(serve)
    async with raw_backend(server.run) as url:
        rig = await start_rig(url, routes=(ROUTE,))
        client = await rig.dial()
        for _ in range(3):
            await client.send(request())
            assert (await answer_of(client))[::2] == (200, b"ok")
        assert (server.connections, rig.stats.exchange_retries) == (2, 1)


async def test_a_request_with_a_body_or_an_effect_is_never_sent_twice(start_rig):
    async def serve(asked):
        if len(server.asked) % 2 == 0:
            asked.writer.close()
            return
        await asked.read_body()
        await asked.answer(b"ok")

    server = Server(serve)
    async with raw_backend(server.run) as url:
        rig = await start_rig(url, routes=(ROUTE,))
        client = await rig.dial()
        for lost in (request(method="POST", body=b"x"), request(method="PUT", body=b"x"), request(method="POST")):
            await client.send(request())
            assert (await answer_of(client))[0] == 200
            await client.send(lost)
            assert (await answer_of(client))[0] == 502
        assert (len(server.asked), rig.stats.exchange_retries) == (6, 0)


async def test_a_first_connection_that_breaks_off_is_no_reason_to_ask_twice(start_rig):
    async def serve(asked):
        asked.writer.close()

    server = Server(serve)
    async with raw_backend(server.run) as url:
        rig = await start_rig(url, routes=(ROUTE,))
        client = await rig.dial()
        await client.send(request())
        assert (await answer_of(client))[0] == 502
        assert len(server.asked) == 1


async def test_a_backend_that_is_down_is_passed_over(start_rig):
    server = Server()
    async with raw_backend(server.run) as url:
        rig = await start_rig(f"ws://127.0.0.1:{unused_port()}", url, routes=(ROUTE,))
        client = await rig.dial()
        for _ in range(4):
            await client.send(request(method="POST", body=b"x"))
            assert (await answer_of(client))[0] == 200
        await idle(rig)


async def test_headers_about_one_connection_stay_on_it_and_the_client_is_described(start_rig):
    async def serve(asked):
        lines = ("Connection: x-hop", "X-Hop: 1", "Keep-Alive: timeout=5", "Set-Cookie: a=1", "Set-Cookie: b=2")
        await asked.answer(b"", "200 Fine", *lines, "X-End: 1")

    server = Server(serve)
    async with raw_backend(server.run) as url:
        rig = await start_rig(f"{url}/prefix", routes=(ROUTE,))
        client = await rig.dial()
        await client.send(
            request(
                "/a?b=1", "GET", b"", "Connection: keep-alive, x-hop", "X-Hop: 1", "TE: trailers", "Upgrade: h2c",
                "HTTP2-Settings: x", "X-Forwarded-For: 6.6.6.6", "X-Real-IP: 6.6.6.6", "Ringway-User: admin",
                "Via: 1.0 other", "X_Forwarded_For: 6.6.6.6", "Accept: text/plain", "Proxy-Authorization: x",
            )
        )  # fmt: skip
        raw = await asyncio.wait_for(client.reader.readuntil(b"\r\n\r\n"), PATIENCE_S)
        assert (
            raw == b"HTTP/1.1 200 Fine\r\nset-cookie: a=1\r\nset-cookie: b=2\r\nx-end: 1\r\nContent-Length: 0\r\n\r\n"
        )
        (asked,) = server.asked
        assert asked.target == "/prefix/a?b=1"
        assert asked.headers == {
            "host": "x.test", "accept": "text/plain", "x-forwarded-for": "127.0.0.1", "x-forwarded-host": "x.test",
            "x-forwarded-proto": "http", "via": "1.1 ringway",
        }  # fmt: skip


async def test_websockets_own_paths_and_routes_without_http_stay_as_they_are(start_rig):
    server = Server()
    async with raw_backend(server.run) as url:
        rig = await start_rig(url, routes=(ROUTE, "path=/ws"))
        client = await rig.dial()
        await client.send(request("/healthz"))
        assert (await answer_of(client))[2] == b'{"status":"ok"}'
        await client.send(request("/ws"))
        assert (await answer_of(client))[0] == 404
        await client.send(request("/gateway"))
        assert (await answer_of(client))[0] == 200
        await client.send(request("/gateway", "POST", b"x"))
        assert (await answer_of(client))[0] == 405
        assert await client.rest() == b""
        assert server.asked == []


async def test_own_paths_can_be_moved_out_of_the_way(start_rig):
    server = Server()
    async with raw_backend(server.run) as url:
        rig = await start_rig(url, routes=(ROUTE,), own_paths_prefix="/ringway")
        client = await rig.dial()
        for path in ("/healthz", "/readyz", "/gateway"):
            await client.send(request(path))
            assert (await answer_of(client))[2].startswith(path.encode())
            await client.send(request("/ringway" + path))
            assert b'"' in (await answer_of(client))[2]
        assert [asked.target for asked in server.asked] == ["/healthz", "/readyz", "/gateway"]


async def test_the_backend_that_says_nothing_and_the_client_that_stalls_are_told_so(start_rig):
    async def serve(asked):
        await asked.read_body()
        await asyncio.sleep(3600)

    async with raw_backend(Server(serve).run) as url:
        rig = await start_rig(url, routes=(ROUTE,), http_answer_deadline_s=0.3, http_idle_s=0.6)
        silent, stalled = await rig.dial(), await rig.dial()
        await silent.send(request())
        await stalled.send(b"POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 10\r\n\r\nabc")
        assert (await answer_of(silent))[0] == 504
        assert (await answer_of(stalled))[0] == 408
        assert await stalled.rest() == b""
        await idle(rig)


async def test_one_address_cannot_have_all_requests(start_rig):
    async def serve(asked):
        await asyncio.sleep(3600)

    async with raw_backend(Server(serve).run) as url:
        rig = await start_rig(url, routes=(ROUTE,), http_requests_max=8, address_share=0.5)
        clients = [await rig.dial() for _ in range(8)]
        for client in clients:
            await client.send(request())
        await eventually(lambda: rig.stats.address_refused["requests"] > 0)
        assert rig.stats.exchanges_open == 4
        other = await rig.dial("127.0.0.2")
        await other.send(request())
        await eventually(lambda: rig.stats.exchanges_open == 5)


async def test_a_gateway_that_stops_lets_answers_end(start_rig):
    go = asyncio.Event()

    async def serve(asked):
        await go.wait()
        await asked.answer(b"late")

    async with raw_backend(Server(serve).run) as url:
        rig = await start_rig(url, routes=(ROUTE,), stop_deadline_s=PATIENCE_S)
        client = await rig.dial()
        await client.send(request())
        await eventually(lambda: rig.stats.backend_connections == 1)
        stopping = asyncio.create_task(rig.gateway.stop())
        await asyncio.sleep(0.1)
        go.set()
        status, headers, body = await answer_of(client)
        assert (status, headers["connection"], body) == (200, "close", b"late")
        begun = time.monotonic()
        await stopping
        assert time.monotonic() - begun < PATIENCE_S


async def test_a_websocket_goes_on_after_plain_requests_of_its_connection(start_rig):
    async def serve(asked):
        if "sec-websocket-key" in asked.headers:
            asked.writer.write(answer_101(asked.head.encode()) + b"\x81\x02hi")
            await asked.reader.read()
        else:
            await asked.answer(b"plain")

    async with raw_backend(Server(serve).run) as url:
        rig = await start_rig(url, routes=(ROUTE,))
        client = await rig.dial()
        await client.send(request() + handshake("/ws"))
        assert (await answer_of(client))[2] == b"plain"
        assert (await client.head())[0] == 101
        assert await client.frame() == (0x81, b"hi")


async def test_a_drain_waits_for_requests_and_ends_them_at_its_deadline(start_rig):
    async def serve(asked):
        asked.writer.write(b"HTTP/1.1 200 OK\r\n\r\nevent\n")
        await asked.reader.read()

    first, second = Server(serve), Server(serve)
    async with raw_backend(first.run) as one, raw_backend(second.run) as two:
        rig = await start_rig(one, two, routes=(ROUTE,))
        clients = [await rig.dial() for _ in range(2)]
        for client in clients:
            await client.send(request())
            await client.head()
        await eventually(lambda: len(first.asked) == len(second.asked) == 1)
        name = next(name for name, node in rig.directory.groups.nodes.items() if one in node.report.url)
        share = rig.held.holding.share_of(name)
        assert (share.share().connections, share.share().leaving) == (0, 1)
        share.set_state(draining=True, within_s=0.0)
        await eventually(lambda: not rig.directory.groups.nodes[name].eligible)
        third = await rig.dial()
        await third.send(request())
        await third.head()
        assert (len(first.asked), len(second.asked)) == (1, 2)
        assert rig.stats.exchanges_open == 3
        share.set_state(draining=True, within_s=0.1)
        await eventually(lambda: rig.stats.exchange_failed["drained"] == 1)
        assert rig.stats.exchanges_open == 2


async def test_a_route_with_tokens_asks_plain_requests_for_them(start_rig):
    server = Server()
    async with raw_backend(server.run) as url:
        rig = await start_rig(url, routes=("path=/ http=true auth=jwt",), verifier=verifier_of())
        client = await rig.dial()
        await client.send(request("/a", "POST", b"x" * 100))
        status, headers, _ = await client.response()
        assert status == 401
        assert headers["www-authenticate"].startswith("Bearer")
        client = await rig.dial()
        for _ in range(2):
            await client.send(request(f"/a?token={good('zoë')}&b=1", "POST", b"x" * 100, "Ringway-User: admin"))
            assert (await answer_of(client))[::2] == (200, b"/a?b=1 " + b"x" * 100)
            await client.send(request())
            assert (await answer_of(client))[0] == 401
        assert {asked.headers["ringway-user"] for asked in server.asked} == {"zo%C3%AB"}
        assert rig.stats.exchange_failed == {"token": 3}
        await idle(rig)


async def test_an_event_stream_ends_when_its_token_is_revoked(start_rig):
    async def serve(asked):
        asked.writer.write(b"HTTP/1.1 200 OK\r\n\r\nevent")
        await asked.reader.read()

    async with raw_backend(Server(serve).run) as url:
        rig = await start_rig(url, routes=("path=/ http=true auth=jwt",), verifier=verifier_of())
        client = await rig.dial()
        await client.send(request("/", "GET", b"", f"Authorization: Bearer {good('42')}"))
        assert (await client.head())[0] == 200
        revoke(rig, Revocation(time.time() + 600, user="42", issued_before=time.time() + 60))
        assert b"0\r\n\r\n" not in await client.rest()
        assert rig.stats.exchange_failed == {"token": 1}
        await idle(rig)

"""Static backends: health checks take them out and bring them back; TLS; weights; load."""

import asyncio
import random
import ssl
import time
from contextlib import AsyncExitStack
from pathlib import Path

import pytest
from gateway_kit import answer_101, eventually, handshake, raw_backend, read_head, unused_port
from websockets.asyncio.client import connect
from websockets.asyncio.server import serve
from websockets.exceptions import InvalidStatus

from ringway.gateway.backends.health import HealthChecks
from ringway.gateway.config.gateway import GatewayConfig
from ringway.protocol.group import DEFAULT
from ringway.types import NodeState
from support.checked_backends import Checked

PEM = Path(__file__).parent.parent / "client" / "localhost.pem"


async def accept(reader, writer):
    try:
        await reader.read()
    except ConnectionError:
        pass
    finally:
        writer.close()


async def test_a_backend_that_stops_listening_is_taken_out_and_comes_back():
    port = unused_port()
    async with AsyncExitStack() as stack:
        server = await asyncio.start_server(accept, "127.0.0.1", port)
        steady = await stack.enter_async_context(raw_backend(accept))
        checked = await stack.enter_async_context(Checked(f"ws://127.0.0.1:{port},name=a", f"{steady},name=b"))
        await eventually(lambda: checked.up == ["a", "b"])
        server.close()
        await eventually(lambda: checked.up == ["b"])
        server = await asyncio.start_server(accept, "127.0.0.1", port)
        await eventually(lambda: checked.up == ["a", "b"])
        server.close()


async def test_the_load_of_a_backend_outlives_its_state():
    async with Checked(f"ws://127.0.0.1:{unused_port()},name=a") as checked:
        view = checked.directory.groups[DEFAULT].view
        view.arrived(view.nodes["a"])
        await eventually(lambda: checked.up == [])
        assert view.nodes["a"].load == 1


async def test_http_checks_want_a_2xx():
    answers = {"good": b"HTTP/1.1 204 No Content\r\n\r\n", "bad": b"HTTP/1.1 503 No\r\n\r\n", "mute": b""}
    asked = {}

    def answering(name):
        async def answer(reader, writer):
            asked[name] = await read_head(reader)
            writer.write(answers[name])
            await writer.drain()
            if not answers[name]:
                await asyncio.sleep(30)

        return answer

    async with AsyncExitStack() as stack:
        urls = [f"{await stack.enter_async_context(raw_backend(answering(name)))},name={name}" for name in answers]
        checked = await stack.enter_async_context(Checked(*(f"{url},check=/live?x=1" for url in urls)))
        await eventually(lambda: checked.up == ["good"])
        assert asked["good"].startswith(b"GET /live?x=1 HTTP/1.1\r\nHost: 127.0.0.1:")
        answers["bad"] = answers["good"]
        await eventually(lambda: checked.up == ["bad", "good"])


async def picky(reader, writer):
    """A backend as Django with ALLOWED_HOSTS: 400 to any other name."""
    head = await read_head(reader)
    known = b"\r\nhost: app.example\r\n" in head.lower()
    if b"/healthz" in head or not known:
        writer.write(b"HTTP/1.1 200 OK\r\n\r\n" if known else b"HTTP/1.1 400 Bad Request\r\nContent-Length: 0\r\n\r\n")
        return
    writer.write(answer_101(head) + b"\x81\x02ok")
    await reader.read()


async def test_a_check_can_say_a_host():
    async with (
        raw_backend(picky) as url,
        Checked(
            f"{url},name=a,check=/healthz,check-host=app.example,weight=2",
            f"{url},name=b,check=/healthz,host=app.example",
        ) as checked,
    ):
        told = checked.directory.groups.nodes
        await eventually(lambda: all(node.response.age_s(time.monotonic()) < 100 for node in told.values()))
        await eventually(lambda: checked.up == ["a", "b"])


async def test_a_backend_can_be_asked_by_another_host(start_rig):
    async with raw_backend(picky) as url:
        rig = await start_rig(f"{url},host=app.example")
        async with connect(rig.url()) as client:
            assert await client.recv() == "ok"


async def test_where_all_fail_their_check_the_answer_says_what_is_wrong(start_rig):
    async with raw_backend(picky) as url:
        specs = (f"{url},name=a,check=/healthz", f"ws://127.0.0.1:{unused_port()},name=b")
        rig = await start_rig(*specs)
        config = GatewayConfig(health_interval_s=0.05, health_timeout_s=5.0)
        checks = HealthChecks(config, rig.directory.groups, lambda name: None, random.Random(1))
        for backend in rig.backends:
            checks.watch(backend)
        try:
            await eventually(lambda: not rig.directory.groups.eligible)
            client = await rig.dial()
            for path in ("/gateway", "/readyz"):
                await client.send(f"GET {path} HTTP/1.1\r\nHost: x\r\n\r\n".encode())
                status, _, body = await client.response()
                assert status == 503
                assert "all 2 backends fail their check" in body["error"]
                assert "a: the check answered 400" in body["error"]
                assert "b: it does not accept connections" in body["error"]
                assert "drain" not in body["error"]
                assert "127.0.0.1" not in body["error"]
            await client.send(handshake())
            status, headers, body = await client.response()
            assert (status, "retry-after" in headers) == (503, True)
            assert "the check answered 400" in body["error"]
        finally:
            await checks.stop()


async def test_all_backends_can_be_used_where_too_few_pass_their_check():
    async with AsyncExitStack() as stack:
        good = await stack.enter_async_context(raw_backend(accept))
        bad = [f"ws://127.0.0.1:{unused_port()},name=bad{index}" for index in range(3)]
        checked = await stack.enter_async_context(Checked(f"{good},name=good", *bad, health_panic_threshold=20))
        await eventually(lambda: checked.up == ["good"])  # 25 %
        below = await stack.enter_async_context(Checked(*bad[:2], health_panic_threshold=1))
        nodes = below.directory.groups.nodes
        refused = ["it does not accept connections"] * 2
        await eventually(lambda: [node.problem for node in nodes.values()] == refused)
        assert below.up == ["bad0", "bad1"]


async def test_what_is_down_is_not_called_draining():
    async with Checked(f"ws://127.0.0.1:{unused_port()},name=a") as checked:
        node = checked.directory.groups.nodes["a"]
        await eventually(lambda: node.problem == "it does not accept connections")
        assert node.state is NodeState.ACTIVE


async def test_relays_live_on_when_checks_fail(start_rig):
    async def stay(reader, writer):
        writer.write(answer_101(await read_head(reader)) + b"\x81\x02ok")
        await reader.read()

    async with raw_backend(stay) as url:
        rig = await start_rig(url)
        async with connect(rig.url()) as client:
            assert await client.recv() == "ok"
            rig.tell(rig.backends[0].name, out=True)
            with pytest.raises(InvalidStatus, match="503"):
                await connect(rig.url())
            assert rig.stats.relays_open == 1


async def test_weights_and_least_connections(start_rig):
    async def stay(reader, writer):
        writer.write(answer_101(await read_head(reader)))
        await reader.read()

    async with raw_backend(stay) as one, raw_backend(stay) as two:
        rig = await start_rig(f"{one},name=one,weight=3", f"{two},name=two", policy="least-connected")
        clients = [await connect(rig.url()) for _ in range(40)]
        nodes = rig.directory.groups.nodes
        await eventually(lambda: {name: node.connections for name, node in nodes.items()} == {"one": 30, "two": 10})
        for client in clients:
            client.transport.abort()
        await rig.idle()
        await eventually(lambda: all(node.load == 0 for node in rig.directory.groups.nodes.values()))


async def test_backends_over_tls(start_rig, monkeypatch):
    monkeypatch.setenv("SSL_CERT_FILE", str(PEM))
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(PEM)

    async def echo(connection):
        async for message in connection:
            await connection.send(message)

    async with serve(echo, "127.0.0.1", 0, ssl=context, max_size=None) as server:
        port = server.sockets[0].getsockname()[1]
        rig = await start_rig(f"wss://localhost:{port},name=right")
        async with connect(rig.url(), max_size=None) as client:
            for size in (5, 70_000, 3_000_000):
                await client.send(b"x" * size)
                assert await client.recv() == b"x" * size
        await rig.idle()
        assert not rig.stats.cut
        named = await start_rig(f"wss://127.0.0.1:{port},name=named,tls-name=localhost")
        async with connect(named.url()) as client:
            await client.send("hello")
            assert await client.recv() == "hello"
        other = await start_rig(f"wss://localhost:{port},name=other,tls-name=other.example")
        with pytest.raises(InvalidStatus, match="502"):
            await connect(other.url())
        wrong = await start_rig(f"wss://127.0.0.1:{port},name=wrong")
        monkeypatch.delenv("SSL_CERT_FILE")
        with pytest.raises(InvalidStatus, match="502"):
            await connect(wrong.url())

"""Compressed WebSockets at backends: they stay compressed when they are opened again, or their client is closed."""

import asyncio
import zlib
from collections import Counter
from contextlib import AsyncExitStack, asynccontextmanager, suppress

import aiohttp
import pytest
import uvicorn
from gateway_kit import answer_101, eventually, handshake, masked
from move_kit import Node, told
from websockets.asyncio.client import connect

from ringway.protocol.frame import CLOSE, close_payload, server_frame

NODE_LOST = (1012, "node lost")
LINES = "the same words in every message, as people's messages have them; " * 50
EXTENSIONS = "Sec-WebSocket-Extensions"
ALONE = "permessage-deflate; server_no_context_takeover; client_no_context_takeover"
RESTART = server_frame(CLOSE, close_payload(1012, "restarting"))


class Server:
    """A real ASGI server that answers each message with its own name before it."""

    def __init__(self, name: str, implementation: str) -> None:
        self.name = name
        config = uvicorn.Config(
            self._serve, port=0, ws=implementation, interface="asgi3", lifespan="off", log_level="error",
            timeout_graceful_shutdown=5,
        )  # fmt: skip
        self._server = uvicorn.Server(config)
        self._server.install_signal_handlers = lambda: None
        self.offers: list[str] = []
        self.got: list[str] = []

    async def _serve(self, scope, receive, send):
        assert scope["type"] == "websocket"
        self.offers += [value.decode() for name, value in scope["headers"] if name == EXTENSIONS.lower().encode()]
        assert (await receive())["type"] == "websocket.connect"
        await send({"type": "websocket.accept"})
        while (event := await receive())["type"] == "websocket.receive":
            self.got.append(event["text"])
            await send({"type": "websocket.send", "text": f"{self.name}: {event['text']}"})

    @asynccontextmanager
    async def listen(self):
        task = asyncio.create_task(self._server._serve())
        await eventually(lambda: self._server.started)
        yield f"ws://127.0.0.1:{self._server.servers[0].sockets[0].getsockname()[1]}"
        self.stop()
        await task

    def stop(self) -> None:
        """Close all WebSockets with 1012, as uvicorn does when it is told to end."""
        self._server.should_exit = True


@asynccontextmanager
async def servers(start_rig, implementation: str, options: str):
    async with AsyncExitStack() as stack:
        made = [Server(name, implementation) for name in ("a", "b")]
        urls = [await stack.enter_async_context(server.listen()) for server in made]
        specs = [
            f"{url},name={server.name},weight={weight}{options}"
            for server, url, weight in zip(made, urls, (10, 1), strict=True)
        ]
        rig = await start_rig(*specs, policy="least-connected", reopen_window_s=0.02)
        yield rig, made
        await rig.hang_up()


@pytest.mark.parametrize("options", ["", ",on-move=reopen"], ids=["auto", "reopen"])
@pytest.mark.parametrize("implementation", ["websockets-sansio", "wsproto"])
async def test_a_client_of_uvicorn_stays_compressed_where_it_is_opened_again(start_rig, implementation, options):
    async with servers(start_rig, implementation, options) as (rig, (one, two)):
        async with connect(rig.url(), compression="deflate") as client:
            (extension,) = client.protocol.extensions
            assert extension.local_no_context_takeover
            assert extension.remote_no_context_takeover
            for _ in range(2):
                await client.send(LINES)
                assert await client.recv() == f"a: {LINES}"
            one.stop()
            await eventually(lambda: rig.stats.reopened == 1)
            for _ in range(2):
                await client.send(LINES)
                assert await client.recv() == f"b: {LINES}"
        assert (one.got, two.got) == ([LINES] * 2, [LINES] * 2)
        assert one.offers == two.offers
        await rig.idle()
        assert rig.stats.bytes_to_node < len(LINES)
        assert rig.stats.bytes_to_client < len(LINES)


async def test_a_client_of_aiohttp_stays_compressed_where_it_is_opened_again(start_rig):
    async with servers(start_rig, "websockets-sansio", "") as (rig, (one, _)), aiohttp.ClientSession() as session:
        async with session.ws_connect(rig.url(scheme="http"), compress=15) as client:
            assert client.compress
            await client.send_str(LINES)
            assert await client.receive_str() == f"a: {LINES}"
            one.stop()
            await eventually(lambda: rig.stats.reopened == 1)
            await client.send_str(LINES)
            assert await client.receive_str() == f"b: {LINES}"
        await rig.idle()
        assert rig.stats.bytes_to_node < len(LINES)


async def test_a_client_that_will_be_closed_compresses_as_it_likes(start_rig):
    async with (
        servers(start_rig, "websockets-sansio", ",on-move=close") as (rig, (one, _)),
        connect(rig.url(), compression="deflate") as client,
    ):
        (extension,) = client.protocol.extensions
        assert not extension.local_no_context_takeover
        await client.send(LINES)
        assert await client.recv() == f"a: {LINES}"
        one.stop()
        await client.wait_closed()
        assert client.close_code == 1012


class RawBackends:
    """A gateway over two backends that are told what to answer, and a client by hand."""

    def __init__(self, rig, nodes):
        self.rig = rig
        self.nodes = nodes
        self.told: dict[str, str] = {}

    async def dial(self, offer: str, *answers: str):
        """Open a WebSocket that offers `offer`; the backends answer with these extensions, none where it is empty."""
        for node, answer in zip(self.nodes, answers, strict=True):
            more = [f"{EXTENSIONS}: {answer}"] if answer else []
            node.answer = lambda head, more=more: answer_101(head, *more)
        client = await self.rig.dial()
        await client.send(handshake("/", Sec_WebSocket_Extensions=offer))
        status, self.told = await client.head()
        assert status == 101
        return client


@pytest.fixture
async def raw(start_rig):
    async with AsyncExitStack() as stack:
        nodes = [Node("b0"), Node("b1")]
        for node in nodes:
            node.url = await stack.enter_async_context(node.listen())
        specs = [f"{node.url},name={node.name},weight={10 - index}" for index, node in enumerate(nodes)]
        settings = {"policy": "least-connected", "reopen_window_s": 0.02, "leave_deadline_s": 0.0}
        made = RawBackends(await start_rig(*specs, **settings), nodes)
        yield made
        await made.rig.hang_up()


async def test_the_client_is_told_to_compress_each_message_alone_and_the_next_backend_is_asked_the_same(raw):
    answer = "permessage-deflate; server_no_context_takeover; client_max_window_bits=12"
    await raw.dial("x, permessage-deflate; client_max_window_bits", answer, answer)
    assert raw.told[EXTENSIONS.lower()] == f"{answer}; client_no_context_takeover"
    first = await raw.nodes[0].visit()
    first.raw.reset()
    second = await raw.nodes[1].visit()
    offer = "permessage-deflate; client_max_window_bits; server_no_context_takeover; client_no_context_takeover"
    for visit in (first, second):
        assert f"\r\n{EXTENSIONS.lower()}: {offer}\r\n" in visit.head
    await eventually(lambda: raw.rig.stats.reopened == 1)


@pytest.mark.parametrize("how", ["lost", "restarts"])
async def test_a_client_whose_server_refers_to_earlier_messages_is_closed(raw, how):
    client = await raw.dial("permessage-deflate", "permessage-deflate", ALONE)
    assert raw.told[EXTENSIONS.lower()] == "permessage-deflate"
    visit = await raw.nodes[0].visit()
    if how == "lost":
        visit.raw.reset()
        assert await told(client) == NODE_LOST
    else:
        await visit.raw.send(RESTART)
        assert await told(client) == (1012, "restarting")
    assert raw.rig.stats.reopened == 0


@pytest.mark.parametrize(
    "second",
    ["", "permessage-deflate", f"{ALONE}; server_max_window_bits=9"],
    ids=["no compression", "with context", "another window"],
)
async def test_a_client_is_closed_if_the_next_server_compresses_otherwise(raw, second):
    client = await raw.dial("permessage-deflate", ALONE, second)
    (await raw.nodes[0].visit()).raw.reset()
    assert await told(client) == NODE_LOST
    await eventually(lambda: raw.rig.stats.moves_failed == Counter(answer=1))


@pytest.mark.parametrize("session", [True, False], ids=["begins a session", "plain"])
async def test_a_compressed_first_message_is_read(raw, session):
    client = await raw.dial("permessage-deflate", ALONE, ALONE)
    visit = await raw.nodes[0].visit()
    said = b'{"type": "subscribe", "room": 7}' if session else b'{"type": "question"}'
    packer = zlib.compressobj(wbits=-15)
    await client.send(masked(0xC1, (packer.compress(said) + packer.flush(zlib.Z_SYNC_FLUSH))[:-4]))
    await eventually(lambda: len(visit.got) == 1)
    visit.raw.reset()
    if session:
        assert await told(client) == NODE_LOST
    else:
        with suppress(TimeoutError):
            await raw.nodes[1].visit()
        await eventually(lambda: raw.rig.stats.reopened == 1)

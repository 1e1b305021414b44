"""The bare socket. Where the interface is that of `websockets`, its own client is held to the same tests."""

import asyncio
import contextlib
import struct
from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Any

import pytest
import websockets.asyncio.client
import websockets.exceptions
from client_kit import TICKET, ScriptedGateway, http, until
from websockets.asyncio.server import ServerConnection, serve
from websockets.typing import Subprotocol

import ringway
from ringway.errors import ConfigError, ConnectionClosed, ProtocolError, UpgradeError

pytestmark = pytest.mark.timeout(60)

Handler = Callable[[ServerConnection], Awaitable[None]]

CLOSED = (ConnectionClosed, websockets.exceptions.ConnectionClosed)


def theirs(uri: str, **options: Any) -> websockets.asyncio.client.connect:
    return websockets.asyncio.client.connect(uri, proxy=None, compression=None, **options)


both = pytest.mark.parametrize("connect", [ringway.connect, theirs], ids=["ringway", "websockets"])


def code_of(error: BaseException) -> int:
    if isinstance(error, ConnectionClosed):
        return error.code
    assert isinstance(error, websockets.exceptions.ConnectionClosed)
    return error.rcvd.code if error.rcvd else 1006


@contextlib.asynccontextmanager
async def server(handler: Handler, **options: Any) -> AsyncIterator[str]:
    async with serve(handler, "127.0.0.1", 0, compression=None, **options) as running:
        yield f"ws://127.0.0.1:{running.sockets[0].getsockname()[1]}/"


async def echo(connection: ServerConnection) -> None:
    async for message in connection:
        await connection.send(message)


def closing(code: int, reason: str = "", *, before: tuple[str, ...] = ()) -> Handler:
    async def handler(connection: ServerConnection) -> None:
        for message in before:
            await connection.send(message)
        await connection.close(code, reason)

    return handler


def frame(first: int, payload: bytes) -> bytes:
    size = len(payload)
    head = bytes((first, size)) if size < 126 else struct.pack(">BBH", first, 126, size)
    return head + payload


def raw(*pieces: bytes, then: str = "wait") -> Handler:
    """A server that writes bytes of its own after the handshake, and then waits or cuts."""

    async def handler(connection: ServerConnection) -> None:
        for piece in pieces:
            connection.transport.write(piece)
        if then == "cut":
            connection.transport.close()
        await connection.wait_closed()

    return handler


@contextlib.asynccontextmanager
async def deaf_server() -> AsyncIterator[str]:
    """A server that reads nothing after the handshake, for as long as the block lasts."""
    over = asyncio.Event()

    async def handler(connection: ServerConnection) -> None:
        connection.transport.pause_reading()
        await over.wait()
        connection.transport.abort()

    async with server(handler) as uri:
        try:
            yield uri
        finally:
            over.set()


# The interface that is shared.


@both
async def test_messages_come_back_as_what_they_are(connect: Any) -> None:
    async with server(echo) as uri, connect(uri) as ws:
        for message in ("", "text", "ü€😀", b"", b"\x00\xff", "x" * 70_000, b"y" * 200_000):
            await ws.send(message)
            assert await ws.recv() == message
        for buffer in (bytearray(b"ab"), memoryview(b"cd")):
            await ws.send(buffer)
            assert await ws.recv() == bytes(buffer)
        with pytest.raises(TypeError):
            await ws.send(5)


@both
async def test_awaiting_connect_leaves_closing_to_the_caller(connect: Any) -> None:
    async with server(echo) as uri:
        ws = await connect(uri)
        assert (ws.close_code, ws.close_reason) == (None, None)
        await ws.close(3999, "enough")
        assert (ws.close_code, ws.close_reason) == (3999, "enough")
        await ws.close()
        await ws.wait_closed()


@both
async def test_fragments_are_put_together(connect: Any) -> None:
    pieces = [frame(0x01, "ü".encode()[:1]), frame(0x89, b"p"), frame(0x00, "ü".encode()[1:]), frame(0x80, b"!")]
    async with server(raw(*pieces)) as uri, connect(uri) as ws:
        assert await ws.recv() == "ü!"


@both
@pytest.mark.parametrize("code", [1000, 1001])
async def test_a_quiet_close_ends_the_loop_after_the_last_message(connect: Any, code: int) -> None:
    async with server(closing(code, "bye", before=("1", "2"))) as uri, connect(uri) as ws:
        assert [message async for message in ws] == ["1", "2"]
        assert (ws.close_code, ws.close_reason) == (code, "bye")
        with pytest.raises(CLOSED) as closed:
            await ws.recv()
        assert code_of(closed.value) == code


@both
@pytest.mark.parametrize("code", [1011, 1012, 3000, 4999])
async def test_another_close_is_raised_after_the_last_message(connect: Any, code: int) -> None:
    async with server(closing(code, "why", before=("1",))) as uri, connect(uri) as ws:
        loop = aiter(ws)
        assert await anext(loop) == "1"
        with pytest.raises(CLOSED) as closed:
            await anext(loop)
        assert code_of(closed.value) == code
        with pytest.raises(CLOSED):
            await ws.send("too late")
        with pytest.raises(CLOSED):
            await ws.ping()


@both
async def test_a_close_without_a_code_is_1005(connect: Any) -> None:
    async with server(raw(frame(0x88, b""))) as uri, connect(uri) as ws:
        assert [message async for message in ws] == []
        assert (ws.close_code, ws.close_reason) == (1005, "")


@both
async def test_a_connection_that_is_cut_is_1006(connect: Any) -> None:
    async with server(raw(frame(0x81, b"last"), then="cut")) as uri, connect(uri) as ws:
        assert await ws.recv() == "last"
        with pytest.raises(CLOSED) as closed:
            await ws.recv()
        assert code_of(closed.value) == 1006
        assert ws.close_code == 1006


BROKEN = {
    "text that is not UTF-8": (frame(0x81, b"\xff\xfe"), 1007),
    "a reserved bit": (frame(0xC1, b"x"), 1002),
    "a reserved bit in a ping": (frame(0xC9, b"x"), 1002),
    "a reserved opcode": (frame(0x83, b"x"), 1002),
    "a masked frame": (b"\x81\x81\x00\x00\x00\x00x", 1002),
    "a continuation of nothing": (frame(0x80, b"x"), 1002),
    "a message in a message": (frame(0x01, b"x") + frame(0x81, b"y"), 1002),
    "a fragmented ping": (frame(0x09, b"x"), 1002),
    "half a close code": (frame(0x88, b"\x03"), 1002),
    "a close code that may not travel": (frame(0x88, struct.pack(">H", 1006)), 1002),
    "a close code of nobody": (frame(0x88, struct.pack(">H", 2999)), 1002),
    "too long a message": (frame(0x82, b"x" * 2000), 1009),
    "too long in pieces": (frame(0x02, b"x" * 600) + frame(0x80, b"x" * 600), 1009),
}


@both
@pytest.mark.parametrize(("sent", "answer"), BROKEN.values(), ids=BROKEN.keys())
async def test_whoever_breaks_the_protocol_is_told_and_left(connect: Any, sent: bytes, answer: int) -> None:
    connections: list[ServerConnection] = []

    async def handler(connection: ServerConnection) -> None:
        connections.append(connection)
        await raw(sent)(connection)

    async with server(handler) as uri, connect(uri, max_size=1000, close_timeout=1) as ws:
        with pytest.raises(CLOSED) as closed:
            await ws.recv()
        assert code_of(closed.value) == 1006
        await until(lambda: connections[0].close_code is not None)
        assert connections[0].close_code == answer


@both
async def test_a_pong_tells_the_latency(connect: Any) -> None:
    async with server(echo) as uri, connect(uri) as ws:
        assert await (await ws.ping()) >= 0
        waiter = await ws.ping("data")
        assert await waiter >= 0
    async with server(raw(then="wait")) as uri, connect(uri) as ws:
        waiter = await ws.ping()
        await ws.close()
        assert waiter.done()


@both
async def test_pings_of_the_server_are_answered(connect: Any) -> None:
    answered = asyncio.Event()

    async def handler(connection: ServerConnection) -> None:
        await (await connection.ping(b"12345"))
        answered.set()
        await connection.wait_closed()

    async with server(handler) as uri, connect(uri):
        await asyncio.wait_for(answered.wait(), 10)


@both
async def test_a_server_that_does_not_pong_is_left(connect: Any) -> None:
    options = {"ping_interval": 0.1, "ping_timeout": 0.2, "close_timeout": 0.2}
    async with deaf_server() as uri, connect(uri, **options) as ws:
        with pytest.raises(CLOSED) as closed:
            await asyncio.wait_for(ws.recv(), 10)
        assert code_of(closed.value) == 1006


@both
async def test_a_server_that_pongs_is_kept(connect: Any) -> None:
    async with server(echo) as uri, connect(uri, ping_interval=0.05, ping_timeout=2) as ws:
        await asyncio.sleep(0.5)
        await ws.send("still")
        assert await ws.recv() == "still"


@both
async def test_the_server_chooses_among_subprotocols(connect: Any) -> None:
    async with server(echo, subprotocols=[Subprotocol("v2"), Subprotocol("v1")]) as uri:
        async with connect(uri, subprotocols=["v1", "v2"]) as ws:
            assert ws.subprotocol == "v2"
        async with connect(uri, subprotocols=["v1"]) as ws:
            assert ws.subprotocol == "v1"
    async with server(echo) as uri, connect(uri) as ws:
        assert ws.subprotocol is None


@both
async def test_origin_and_headers_reach_the_server(connect: Any) -> None:
    seen: dict[str, str] = {}

    async def handler(connection: ServerConnection) -> None:
        assert connection.request is not None
        seen.update(connection.request.headers.raw_items())
        await connection.close()

    headers = {"Authorization": "Bearer x", "X-Two": "2"}
    async with server(handler) as uri, connect(uri, origin="https://app", additional_headers=headers) as ws:
        await ws.wait_closed()
    assert (seen["Origin"], seen["Authorization"], seen["X-Two"]) == ("https://app", "Bearer x", "2")


@both
async def test_a_wait_that_is_cancelled_loses_nothing(connect: Any) -> None:
    async with server(echo) as uri, connect(uri) as ws:
        with pytest.raises(TimeoutError):
            await asyncio.wait_for(ws.recv(), 0.01)
        await ws.send("kept")
        assert await ws.recv() == "kept"


@both
async def test_a_slow_reader_stops_the_sender(connect: Any) -> None:
    sent = 0

    async def flood(connection: ServerConnection) -> None:
        nonlocal sent
        for _ in range(4000):
            await connection.send(b"x" * 10_000)
            sent += 1
        await connection.close()

    async with server(flood) as uri, connect(uri, max_queue=4) as ws:
        await _settle(lambda: sent)
        assert sent < 3000
        assert sum([1 async for _ in ws]) == 4000


async def _settle(count: Callable[[], int]) -> None:
    """Wait until `count` stands still."""
    last = -1
    while count() != last:
        last = count()
        await asyncio.sleep(0.3)


@both
async def test_a_slow_server_stops_the_sender(connect: Any) -> None:
    going_on = asyncio.Event()
    got = 0

    async def slow(connection: ServerConnection) -> None:
        nonlocal got
        await going_on.wait()
        async for _ in connection:
            got += 1

    async with server(slow, max_queue=1) as uri, connect(uri) as ws:
        sent = 0

        async def send() -> None:
            nonlocal sent
            for _ in range(3000):
                await ws.send(b"x" * 10_000)
                sent += 1

        sending = asyncio.ensure_future(send())
        await _settle(lambda: sent)
        stopped_at = sent
        going_on.set()
        await asyncio.wait_for(sending, 20)
        await ws.close()
    assert stopped_at < 3000
    assert got == 3000


@both
async def test_a_close_is_answered_in_time_or_cut(connect: Any) -> None:
    async with deaf_server() as uri:
        ws = await connect(uri, close_timeout=0.2)
        await asyncio.wait_for(ws.close(), 10)
        assert ws.close_code == 1006


@both
async def test_an_error_in_the_block_closes_with_1011(connect: Any) -> None:
    connections: list[ServerConnection] = []

    async def handler(connection: ServerConnection) -> None:
        connections.append(connection)
        await connection.wait_closed()

    async with server(handler) as uri:
        with pytest.raises(ValueError, match="the program's own"):
            async with connect(uri):
                raise ValueError("the program's own")
        await until(lambda: connections[0].close_code == 1011)


@both
async def test_iterating_over_connect_reconnects(connect: Any) -> None:
    served = 0

    async def handler(connection: ServerConnection) -> None:
        nonlocal served
        served += 1
        await connection.send(str(served))
        await connection.close(1012)

    seen = []
    async with server(handler) as uri:
        async for ws in connect(uri):
            with contextlib.suppress(*CLOSED):
                seen.append(await ws.recv())
                await ws.recv()
            if len(seen) == 3:
                break
    assert seen == ["1", "2", "3"]


@both
async def test_nobody_there_is_an_os_error(connect: Any) -> None:
    async with server(echo) as uri:
        pass
    with pytest.raises(OSError, match="Connect call failed"):
        await connect(uri)


@both
async def test_a_handshake_that_takes_too_long_is_a_timeout(connect: Any) -> None:
    async with ScriptedGateway(lambda _: None) as silent:
        with pytest.raises(TimeoutError):
            await connect(f"ws://127.0.0.1:{silent.port}/", open_timeout=0.2)


# What only ours does, or does differently.


async def test_a_refusal_tells_status_and_headers() -> None:
    async with ScriptedGateway(lambda _: http(503, {"error": "x"}, Retry_After="7")) as busy:
        with pytest.raises(UpgradeError) as refused:
            await ringway.connect(f"ws://127.0.0.1:{busy.port}/?ticket={TICKET}")
        assert refused.value.status == 503
        assert ("retry-after", "7") in refused.value.headers
        assert TICKET not in str(refused.value)


async def test_redirects_are_not_followed() -> None:
    async with server(echo) as uri, ScriptedGateway(lambda _: http(307, None, Location=uri)) as away:
        with pytest.raises(UpgradeError, match="Temporary Redirect"):
            await ringway.connect(f"ws://127.0.0.1:{away.port}/")


WRONG = {
    "the wrong key": b"HTTP/1.1 101 X\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Accept: x\r\n\r\n",
    "no upgrade": b"HTTP/1.1 101 X\r\n\r\n",
    "another protocol": b"SSH-2.0-OpenSSH\r\n\r\n",
    "an endless head": b"HTTP/1.1 101 X\r\n" + b"X: y\r\n" * 5000,
}


@pytest.mark.parametrize("answer", WRONG.values(), ids=WRONG.keys())
async def test_a_wrong_answer_to_the_handshake_is_an_upgrade_error(answer: bytes) -> None:
    async with ScriptedGateway(lambda _: answer) as wrong:
        with pytest.raises(UpgradeError) as refused:
            await ringway.connect(f"ws://127.0.0.1:{wrong.port}/")
        assert refused.value.status == 502


async def test_a_server_that_hangs_up_in_the_handshake_is_an_os_error() -> None:
    async with ScriptedGateway(lambda _: b"") as rude:
        with pytest.raises(ConnectionError, match="before it answered"):
            await ringway.connect(f"ws://127.0.0.1:{rude.port}/")


@pytest.mark.parametrize(("sent", "code"), [(frame(0x81, b"\xff"), 1007), (frame(0x83, b"x"), 1002)])
async def test_why_this_side_ended_it_is_the_cause(sent: bytes, code: int) -> None:
    async with server(raw(sent)) as uri, ringway.connect(uri) as ws:
        with pytest.raises(ConnectionClosed) as closed:
            await ws.recv()
        assert isinstance(closed.value.__cause__, ProtocolError)
        assert closed.value.__cause__.close_code == code


@pytest.mark.parametrize(
    ("given", "asked"),
    [
        (f"ticket={TICKET}", f"/app?ticket={TICKET}&key=k"),
        (f"key=d1e2&ticket={TICKET}", f"/app?key=d1e2&ticket={TICKET}"),  # what the gateway makes of it counts
    ],
)
async def test_a_gateway_is_asked_first_and_the_key_goes_along(given: str, asked: str) -> None:
    paths: list[str] = []

    async def handler(connection: ServerConnection) -> None:
        assert connection.request is not None
        paths.append(connection.request.path)
        await echo(connection)

    async with server(handler) as uri:
        answer = http(200, {"url": f"{uri}app?{given}"})
        async with ScriptedGateway(lambda _: answer) as gateway, ringway.connect(gateway.url, key="k") as ws:
            await ws.send("hello")
            assert await ws.recv() == "hello"
    assert gateway.asked == ["/gateway?key=k"]
    assert paths == [asked]


async def test_iterating_over_connect_goes_where_a_move_leads() -> None:
    paths: list[str] = []

    async def handler(connection: ServerConnection) -> None:
        assert connection.request is not None
        paths.append(connection.request.path)
        await connection.close(1012, f"move n2 {TICKET}" if len(paths) == 1 else "")

    async with server(handler) as uri:
        async for ws in ringway.connect(f"{uri}app"):
            await ws.wait_closed()
            if len(paths) == 3:
                break
        assert paths == ["/app", f"/app?node=n2&ticket={TICKET}", "/app"]
        paths.clear()
        async with ScriptedGateway(lambda _: http(200, {"url": f"{uri}app"})) as gateway:
            async for ws in ringway.connect(gateway.url):
                await ws.wait_closed()
                if len(paths) == 3:
                    break
        assert gateway.asked == ["/gateway", f"/gateway?node=n2&ticket={TICKET}", "/gateway"]


async def test_iterating_over_connect_goes_on_until_an_error_that_is_final() -> None:
    answers = [http(503), http(403), b""]
    async with ScriptedGateway(lambda _: answers.pop(0) if answers else http(404)) as gateway:
        with pytest.raises(UpgradeError, match="Not Found"):
            await anext(aiter(ringway.connect(f"ws://127.0.0.1:{gateway.port}/")))
        assert len(gateway.asked) == 4


async def test_one_task_receives_at_a_time() -> None:
    async with server(echo) as uri, ringway.connect(uri) as ws:
        first = asyncio.ensure_future(ws.recv())
        await asyncio.sleep(0)
        with pytest.raises(RuntimeError):
            await ws.recv()
        await ws.send("x")
        assert await first == "x"


async def test_a_reader_that_stops_is_not_taken_for_a_dead_server() -> None:
    async def flood(connection: ServerConnection) -> None:
        with contextlib.suppress(websockets.exceptions.ConnectionClosed):
            for _ in range(2000):
                await connection.send(b"x" * 10_000)
            await connection.close()

    options = {"ping_interval": 0.05, "ping_timeout": 0.1, "max_queue": 2}
    async with server(flood) as uri, ringway.connect(uri, **options) as ws:
        await asyncio.sleep(1)
        assert sum([1 async for _ in ws]) == 2000


async def test_a_close_gets_through_when_nobody_reads() -> None:
    async def flood(connection: ServerConnection) -> None:
        with contextlib.suppress(websockets.exceptions.ConnectionClosed):
            while True:
                await connection.send(b"x" * 10_000)

    async with server(flood) as uri:
        ws = await ringway.connect(uri, max_queue=2, close_timeout=5)
        await asyncio.sleep(0.2)
        await ws.close(3000)
        assert ws.close_code == 3000


async def test_a_handshake_that_is_cancelled_leaves_nothing_behind() -> None:
    hung_up = asyncio.Event()

    async def silent(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.read()
        hung_up.set()
        writer.close()

    listener = await asyncio.start_server(silent, "127.0.0.1", 0)
    port = listener.sockets[0].getsockname()[1]
    opening = asyncio.ensure_future(_open(f"ws://127.0.0.1:{port}/"))
    await asyncio.sleep(0.1)
    opening.cancel()
    with pytest.raises(asyncio.CancelledError):
        await opening
    await asyncio.wait_for(hung_up.wait(), 5)
    listener.close()


async def _open(uri: str) -> ringway.Socket:
    return await ringway.connect(uri)


async def test_codes_and_reasons_that_may_not_travel_are_refused() -> None:
    async with server(echo) as uri, ringway.connect(uri) as ws:
        for code in (0, 999, 1005, 1006, 2000, 5000):
            with pytest.raises(ConfigError):
                await ws.close(code)
        with pytest.raises(ConfigError):
            await ws.close(1000, "x" * 124)
        with pytest.raises(ConfigError):
            await ws.ping(b"x" * 126)
        await ws.send("still open")
        assert await ws.recv() == "still open"


@pytest.mark.parametrize("uri", ["example.org", "ftp://x", "ws://u:p@h", "ws://"])
def test_a_wrong_uri_is_refused_where_it_is_given(uri: str) -> None:
    with pytest.raises(ConfigError):
        ringway.connect(uri)

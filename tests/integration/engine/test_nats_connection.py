"""The connection to NATS against servers that do what the test says."""

import asyncio
import json
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager, suppress
from typing import Any

import pytest

from integration.nats_kit import connected, until
from ringway.engine.nats import server_socket
from ringway.engine.nats.failure import ServerRefused
from ringway.engine.nats.subscription import SubjectSubscription
from ringway.errors import EngineAway, Unconfirmed


def info(**fields: Any) -> bytes:
    return b"INFO %s\r\n" % json.dumps({"max_payload": 1000, "headers": True, **fields}).encode()


class Played:
    """A NATS server as far as a connection needs one; each client is a writer in `clients`."""

    def __init__(self) -> None:
        self.greeting = info()
        self.admits = b"PONG\r\n"
        self.answers = True
        self.clients: list[asyncio.StreamWriter] = []
        self.heard: list[bytes] = []
        self.port = 0
        self._server: asyncio.Server | None = None

    async def start(self) -> None:
        self._server = await asyncio.start_server(self._serve, "127.0.0.1", self.port)
        self.port = self._server.sockets[0].getsockname()[1]

    def stop(self) -> None:
        if self._server is not None:
            self._server.close()
        self.cut()

    def cut(self) -> None:
        for writer in self.clients:
            writer.transport.abort()

    def say(self, data: bytes) -> None:
        """Send to the newest client."""
        self.clients[-1].write(data)

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.clients.append(writer)
        writer.write(self.greeting)
        answer = self.admits
        with suppress(ConnectionError):
            while line := await reader.readline():
                self.heard.append(line)
                if line.startswith((b"PUB", b"HPUB")):
                    await reader.readexactly(int(line.split()[-1]) + 2)
                if line == b"PING\r\n" and self.answers:
                    writer.write(answer)
                    answer = b"PONG\r\n"
        writer.close()


@pytest.fixture
async def server() -> AsyncIterator[Played]:
    server = Played()
    await server.start()
    yield server
    server.stop()


@pytest.fixture
async def other() -> AsyncIterator[Played]:
    server = Played()
    await server.start()
    yield server
    server.stop()


@asynccontextmanager
async def joined(*servers: Played) -> AsyncIterator[Any]:
    connection = await connected("nats://" + ",".join(f"127.0.0.1:{server.port}" for server in servers))
    try:
        yield connection
    finally:
        await connection.close(1)


def hears(got: list[tuple[bytes, bytes, bytes]]) -> Callable[[bytes, bytes, bytes, bytes], None]:
    return lambda subject, reply, header, payload: got.append((reply, header, payload))


async def test_what_comes_in_one_piece_with_the_end_of_the_greeting_is_read(server: Played) -> None:
    server.admits = b"PING\r\n+OK\r\nPONG\r\n" + info(version="9.9.9") + b"MSG a 7 1\r\nx\r\n"
    async with joined(server) as connection:
        await until(lambda: connection.info.version == "9.9.9")
        await until(lambda: b"UNSUB 7\r\n" in server.heard)
        assert b"PONG\r\n" in server.heard
        assert connection.up


@pytest.mark.parametrize("behind", [b"PING\r\n", b"MSG a 1 1\r\nx\r\n", b"-"])
async def test_nothing_that_came_in_plain_text_is_believed_behind_tls(server: Played, behind: bytes) -> None:
    server.greeting = info(tls_required=True) + behind
    with pytest.raises(ServerRefused, match="plain text before TLS"):
        await connected(f"nats://127.0.0.1:{server.port}")


@pytest.mark.parametrize(
    "greeting",
    [b"INFO {}{}\r\n", b'INFO {"max_payload":"x"}\r\n', b"HTTP/1.1 400 Bad Request\r\n", b"-ERR 'full'\r\n", b"\r\n"],
)
async def test_a_greeting_of_another_kind_is_refused(server: Played, greeting: bytes) -> None:
    server.greeting = greeting
    with pytest.raises(ServerRefused):
        await connected(f"nats://127.0.0.1:{server.port}")


async def test_a_server_that_refuses_says_why(server: Played) -> None:
    server.admits = b"-ERR 'Authorization Violation'\r\n"
    with pytest.raises(ServerRefused, match="Authorization Violation"):
        await connected(f"nats://127.0.0.1:{server.port}")


async def test_messages_have_their_parts(server: Played) -> None:
    got: list[tuple[bytes, bytes, bytes]] = []
    async with joined(server) as connection:
        connection.subscribe(SubjectSubscription("a", hears(got)))
        await connection.outbox.processed()
        header = b"NATS/1.0\r\nA: b\r\n\r\n"
        server.say(b"MSG a 1 2\r\n12\r\nMSG a 1 r 0\r\n\r\nHMSG a 1 r %d %d\r\n%b34\r\n" % (18, 20, header))
        await until(lambda: len(got) == 3)
        assert got == [(b"", b"", b"12"), (b"r", b"", b""), (b"r", header, b"34")]


async def test_after_a_loss_all_that_is_subscribed_then_is_subscribed_again(server: Played) -> None:
    losses: list[bool] = []
    async with joined(server) as connection:
        connection.on_loss.append(lambda: losses.append(connection.up))
        kept = connection.subscribe(SubjectSubscription("kept", hears([]), "workers"))
        ended = connection.subscribe(SubjectSubscription("ended", hears([])))
        await connection.outbox.processed()
        unconfirmed = connection.outbox.processed()
        server.answers = False
        server.cut()
        with pytest.raises(Unconfirmed):
            await unconfirmed
        assert losses == [False]
        with pytest.raises(EngineAway):
            connection.send("a", b"")
        connection.unsubscribe(ended)
        added = connection.subscribe(SubjectSubscription("added", hears([])))
        server.heard.clear()
        server.answers = True
        await until(lambda: connection.up)
        subscribed = [line for line in server.heard if line.startswith(b"SUB")]
        assert subscribed == [b"SUB kept workers %d\r\n" % kept, b"SUB added  %d\r\n" % added]


async def test_a_server_that_the_cluster_advertises_is_gone_to(server: Played, other: Played) -> None:
    server.greeting = info(connect_urls=[f"127.0.0.1:{server.port}", f"127.0.0.1:{other.port}"])
    async with joined(server) as connection:
        server.stop()
        await until(lambda: connection.up and connection.server.port == other.port)


async def test_a_server_in_lame_duck_mode_is_used_until_it_ends_and_tried_last(server: Played, other: Played) -> None:
    for times in range(1, 6):  # the order is drawn
        async with joined(server, other) as connection:
            server.say(info(ldm=True))
            connection.send("a", b"")
            await connection.outbox.processed()
            assert connection.server.port == server.port
            server.cut()
            await until(lambda: connection.up and connection.server.port == other.port)
            assert len(server.clients) == times


async def test_a_server_that_answers_no_ping_is_left_for_another(
    server: Played, other: Played, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(server_socket, "PING_S", 0.05)
    async with joined(server, other) as connection:
        await asyncio.sleep(0.3)
        assert connection.up
        assert connection.server.port == server.port
        server.answers = False
        await until(lambda: connection.up and connection.server.port == other.port)


@pytest.mark.parametrize(
    "data", [b"HTTP/1.1 200 OK\r\n\r\n", b"MSG a 1 -1\r\n", b"-ERR 'Secure Connection Timeout'\r\n"]
)
async def test_a_server_that_loses_count_is_connected_to_anew(server: Played, data: bytes) -> None:
    async with joined(server) as connection:
        server.say(data)
        await until(lambda: len(server.clients) == 2 and connection.up)


async def test_a_missing_right_ends_nothing(server: Played) -> None:
    async with joined(server) as connection:
        server.say(b"-ERR 'Permissions Violation for Publish to \"a\"'\r\n")
        await connection.outbox.processed()
        assert len(server.clients) == 1


async def test_a_receiver_may_lose_the_connection_and_hears_nothing_behind(server: Played) -> None:
    got: list[bytes] = []

    def receive(subject: bytes, reply: bytes, header: bytes, payload: bytes) -> None:
        got.append(payload)
        connection.on_error("'played'")

    async with joined(server) as connection:
        connection.subscribe(SubjectSubscription("a", receive))
        await connection.outbox.processed()
        server.say(b"MSG a 1 1\r\n1\r\nMSG a 1 1\r\n2\r\n")
        await until(lambda: len(server.clients) == 2 and connection.up)
        assert got == [b"1"]


@pytest.mark.parametrize("moment", ["up", "away", "greeting", "subscribing"])
async def test_closing_leaves_no_task_and_no_connection(server: Played, moment: str) -> None:
    before = asyncio.all_tasks()
    connection = await connected(f"nats://127.0.0.1:{server.port}")
    ways: dict[str, Callable[[], Awaitable[None]]] = {}

    async def lose(**changes: object) -> None:
        for name, value in changes.items():
            setattr(server, name, value)
        server.cut()
        await until(lambda: not connection.up)
        if changes:
            await until(lambda: len(server.clients) > 1)
            await asyncio.sleep(0.05)

    ways = {
        "up": lambda: asyncio.sleep(0),
        "away": lose,
        "greeting": lambda: lose(greeting=b""),
        "subscribing": lambda: lose(admits=b"PONG\r\n", answers=False),
    }
    await ways[moment]()
    await connection.close(1)
    await connection.close(1)
    server.stop()
    await until(lambda: asyncio.all_tasks() == before)

"""Pressure: the cost of a server to a client, and the requests of a client at once."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from random import Random

import pytest
from client_kit import TICKET, ScriptedGateway, ScriptedNode, http, refusal, until
from websockets.asyncio.server import ServerConnection, serve

import ringway
from ringway.client import Socket
from ringway.client.wire import Wire
from ringway.engine.memory.engine import MemoryHub
from ringway.node.config.node import NodeConfig
from ringway.node.server import ChannelNode
from ringway.protocol.keyring import Keyring
from ringway.types import Incarnation, NodeName

pytestmark = pytest.mark.timeout(60)

PATIENT = ringway.ClientConfig(close_timeout_s=0.5, backoff_base_s=0.4, backoff_cap_s=1.0, command_timeout_s=30.0)


@asynccontextmanager
async def node(**settings: object) -> AsyncIterator[ChannelNode]:
    given = {"insecure": True, "stop_deadline_s": 1.0, "namespaces": ("default:history_size=0",), **settings}
    config = NodeConfig(**given)  # type: ignore[arg-type]
    made = ChannelNode(config, NodeName("n1"), Incarnation("00000001"), MemoryHub().open(), Keyring(b"secret"))
    await made.start()
    try:
        yield made
    finally:
        await made.stop()


class Deaf:
    """A server that sends `data` again and again, and reads nothing after the handshake."""

    def __init__(self, data: bytes, total: int) -> None:
        self.data = data * (1 + 65536 // len(data))
        self.rounds = total // len(self.data)
        self.sent = asyncio.Event()
        self.over = asyncio.Event()

    async def serve(self, connection: ServerConnection) -> None:
        transport = connection.transport
        transport.pause_reading()
        for _ in range(self.rounds):
            transport.write(self.data)
            while transport.get_write_buffer_size():
                await asyncio.sleep(0)
        self.sent.set()
        await self.over.wait()
        transport.abort()


@pytest.fixture
def wires(monkeypatch: pytest.MonkeyPatch) -> list[Wire]:
    """The wires of the sockets that are opened, in order."""
    found: list[Wire] = []
    opened = Socket.opened

    def note(socket: Socket, wire: Wire) -> None:
        found.append(wire)
        opened(socket, wire)

    monkeypatch.setattr(Socket, "opened", note)
    return found


async def test_pongs_that_nobody_reads_are_not_kept(wires: list[Wire]) -> None:
    """RFC 6455, 5.5.3: the newest ping alone may be answered."""
    pings = Deaf(b"".join(bytes((0x89, 125)) + bytes((n,)) * 125 for n in range(100)), total=16 << 20)
    async with serve(pings.serve, "127.0.0.1", 0, compression=None) as running:
        uri = f"ws://127.0.0.1:{running.sockets[0].getsockname()[1]}/"
        ws = await ringway.connect(uri, ping_interval=None, close_timeout=0.1)
        await pings.sent.wait()
        assert wires[0].unsent_bytes < 256 * 1024
        pings.over.set()
        await ws.wait_closed()


async def test_a_pong_that_was_kept_back_is_sent_when_there_is_room() -> None:
    newest = b"newest".ljust(125, b".")
    resumed = asyncio.Event()

    async def handler(connection: ServerConnection) -> None:
        transport = connection.transport
        transport.pause_reading()
        for _ in range(64):
            transport.write((bytes((0x89, 125)) + b"x" * 125) * 1000)
            while transport.get_write_buffer_size():
                await asyncio.sleep(0)
        answered = await connection.ping(newest)
        transport.resume_reading()
        await answered
        resumed.set()

    async with serve(handler, "127.0.0.1", 0, compression=None, ping_interval=None) as running:
        uri = f"ws://127.0.0.1:{running.sockets[0].getsockname()[1]}/"
        async with ringway.connect(uri, ping_interval=None, close_timeout=0.5):
            await resumed.wait()


@asynccontextmanager
async def restless(paths: list[str]) -> AsyncIterator[str]:
    """A gateway with a node that moves everybody to itself, as soon as it has come."""

    async def handler(connection: ServerConnection) -> None:
        assert connection.request is not None
        paths.append(connection.request.path)
        await connection.close(1012, f"move n1 {TICKET}")

    async with serve(handler, "127.0.0.1", 0, compression=None) as running:
        url = f"ws://127.0.0.1:{running.sockets[0].getsockname()[1]}/?ticket={TICKET}"
        async with leading_to(url) as gateway:
            yield gateway.url


def leading_to(url: str) -> ScriptedGateway:
    """A gateway that leads everybody to the node n1 at `url`, wherever they were told to go."""
    placement = http(200, {"url": url, "ticket": TICKET, "node": "n1", "expires_in": 10})
    return ScriptedGateway(lambda _: placement)


class NoPause(Random):
    """Draws no pause at all: what is bounded then is bounded by number."""

    def uniform(self, a: float, b: float) -> float:
        return a


async def test_moves_without_end_are_followed_a_few_times() -> None:
    """P-7.15. Eight at once, four after pauses; then the socket is closed as if it had been told no place."""
    paths: list[str] = []
    async with restless(paths) as url:
        ws = await ringway.connect(url, rng=NoPause())
        with pytest.raises(ringway.ConnectionClosed) as closed:
            await ws.recv()
        assert (closed.value.code, closed.value.reason) == (1012, "")
        assert "too many in a short time" in str(closed.value.__cause__)
    assert len(paths) == 1 + 8 + 4


async def test_how_many_moves_are_followed_at_once_can_be_set() -> None:
    paths: list[str] = []
    async with restless(paths) as url:
        ws = await ringway.connect(url, rng=NoPause(), moves_burst=1)
        with pytest.raises(ringway.ConnectionClosed):
            await ws.recv()
    assert len(paths) == 1 + 1 + 4


async def test_a_client_that_is_moved_without_end_comes_back_with_pauses() -> None:
    """P-7.15: what follows the last move that is followed is an ordinary reconnect, which counts as a failed one."""
    events: list[ringway.Event] = []

    class Restless(ScriptedNode):
        async def _command(self, connection: ServerConnection, command: dict[str, object]) -> None:
            await super()._command(connection, command)
            if "connect" in command:
                await connection.close(1012, f"move n1 {TICKET}")

        async def _serve(self, connection: ServerConnection) -> None:
            assert connection.request is not None
            if "resume=1" in connection.request.path:
                await connection.close(1012, f"move n1 {TICKET}")
            else:
                await super()._serve(connection)

    async with Restless() as scripted, leading_to(f"{scripted.url}?ticket={TICKET}") as gateway:
        config = ringway.ClientConfig(moves_burst=2, backoff_base_s=0.001, backoff_cap_s=0.01)
        client = ringway.Client(gateway.url, config=config, on_event=events.append, rng=NoPause())
        opening = asyncio.create_task(client.open())
        await until(lambda: [one for one in events if isinstance(one, ringway.Disconnected)], "the end")
        opening.cancel()
        await asyncio.gather(opening, return_exceptions=True)
    (ended, *_) = [one for one in events if isinstance(one, ringway.Disconnected)]
    assert (ended.code, ended.move_to) == (1012, None)
    assert len([one for one in events[: events.index(ended)] if isinstance(one, ringway.Moved)]) == 2 + 4


@pytest.mark.parametrize(
    ("count", "rate", "burst"), [(6000, 6000.0, 1000), (500, 300.0, 300)], ids=["very many", "at a low rate"]
)
async def test_a_client_of_very_many_channels_is_confirmed_for_all_of_them(count: int, rate: float, burst: int) -> None:
    async with node(subscriptions_max=10_000, commands_per_s=rate, commands_burst=burst) as served:
        events: list[ringway.Event] = []
        async with ringway.Client(served.url, config=PATIENT, on_event=events.append) as client:
            subscriptions = [client.subscribe(f"channel:{number}") for number in range(count)]
            await until(lambda: all(each.confirmed for each in subscriptions), "all confirmations", 40.0)
            assert len(served.hub) == count
            for each in subscriptions:
                each.close()
            await until(lambda: not len(served.hub), "all unsubscribes", 40.0)
            assert [type(event) for event in events] == [ringway.Connected]
        assert not served.stats.closed


async def test_a_client_learns_how_little_a_server_takes_at_once() -> None:
    """Its first attempts are answered with 3013: the burst is far below what a client sends by default."""
    async with (
        node(commands_per_s=100.0, commands_burst=20) as served,
        ringway.Client(served.url, config=PATIENT) as client,
    ):
        subscriptions = [client.subscribe(f"channel:{number}") for number in range(60)]
        await until(lambda: all(each.confirmed for each in subscriptions), "all confirmations", 40.0)


async def test_subscribes_are_bounded_in_flight() -> None:
    waiting: list[object] = []

    def keep(request: object) -> None:
        waiting.append(request)

    async with ScriptedNode() as scripted:
        scripted.subscribe = keep
        config = ringway.ClientConfig(subscribes_max=10, close_timeout_s=0.5)
        async with ringway.Client(scripted.url, config=config) as client:
            for number in range(100):
                client.subscribe(f"channel:{number}")
            await until(lambda: len(waiting) == 10, "the first subscribes")
            await asyncio.sleep(0.05)
            assert len(waiting) == 10


async def test_a_subscribe_that_came_over_the_rate_is_repeated_after_a_pause_and_keeps_its_order() -> None:
    """Error 111: an unsubscribe and a subscribe of the same channel do not change places."""
    refusals = 3

    def subscribe(request: object) -> dict[str, object]:
        nonlocal refusals
        refusals -= 1
        return refusal(111, "too many requests", temporary=True) if refusals >= 0 else {"subscribe": {}}

    async with ScriptedNode() as scripted:
        scripted.subscribe = subscribe
        async with ringway.Client(scripted.url, config=PATIENT) as client:
            subscriptions = [client.subscribe(f"channel:{number}") for number in range(5)]
            await until(lambda: all(each.confirmed for each in subscriptions), "all confirmations")
        asked = [request["channel"] for request in scripted.of("subscribe")]
    assert asked == [f"channel:{number}" for number in (0, 1, 2, 3, 4, 0, 1, 2)]

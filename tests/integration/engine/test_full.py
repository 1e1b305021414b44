"""Engines without room: the error names the remedy, only history stops, and it goes on without a restart."""

import asyncio
import secrets
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path
from typing import Literal

import pytest

from integration.nats_kit import operator
from ringway.engine.nats.engine import NatsEngine
from ringway.engine.nats.opening import open_nats
from ringway.engine.nats.stream import HistorySettings
from ringway.engine.redis.engine import open_redis
from ringway.errors import EngineUnsuitable
from ringway.ports import Engine, Retention
from ringway.testing.contract.world import until
from ringway.types import Channel, NodeName, Role
from support.fleet.package import oldest_redis, valkey
from support.nats_server import NatsServer
from support.redis_server import RedisServer

PATIENCE_S = 20.0
ROOM = Channel("room")
KEPT = Retention("chat", 10_000, 600)

Start = Callable[..., NatsServer | RedisServer]


@pytest.fixture
def start() -> Iterator[Start]:
    started: list[NatsServer | RedisServer] = []

    def begin(server: NatsServer | RedisServer) -> NatsServer | RedisServer:
        started.append(server)
        server.start()
        return server

    yield begin
    for server in started:
        server.kill()


@asynccontextmanager
async def nats(server: NatsServer, storage: Literal["memory", "file"], login: str = "") -> AsyncIterator[NatsEngine]:
    engine = await open_nats(f"nats://{login}localhost:{server.port}", name="a", history=HistorySettings(storage))
    try:
        yield engine
    finally:
        await engine.close()


@asynccontextmanager
async def redis(server: RedisServer) -> AsyncIterator[Engine]:
    engine = await open_redis(server.url, name="a")
    try:
        yield engine
    finally:
        await engine.close()


async def fill(engine: Engine) -> str:
    """Publish until the engine refuses; return its error."""
    block = secrets.token_bytes(200_000)
    async with asyncio.timeout(PATIENCE_S):
        while True:
            appends = [engine.history.append(Channel(f"c{at}"), block, KEPT) for at in range(8)]
            said = [error for error in await asyncio.gather(*appends, return_exceptions=True) if error is not None]
            errors = [error for error in said if isinstance(error, BaseException)]
            if errors:
                assert isinstance(errors[0], EngineUnsuitable), errors[0]
                return str(errors[0])


async def all_but_history(engine: Engine, newcomer: Engine) -> None:
    """Use whatever stores nothing for long: `engine` leads already, and `newcomer` has just come."""
    assert await engine.lease.renew("leader", "a", 60)
    assert await newcomer.lease.acquire("leader", "b", 60) is None
    await engine.lease.release("leader", "a")
    assert await newcomer.lease.acquire("leader", "b", 60)
    assert await newcomer.lease.acquire("another", "b", 60)
    heard: list[NodeName] = []
    got: list[bytes] = []
    await newcomer.registry.watch(tuple(Role), lambda role, member, _: heard.append(member))
    await engine.registry.announce(Role.NODE, NodeName("a"), b"report")
    newcomer.broker.attach(lambda channel, payload, offset, previous: got.append(payload))
    await newcomer.broker.subscribe(ROOM)
    await engine.broker.publish(ROOM, b"plain")
    await until(lambda: "a" in heard and b"plain" in got)


async def test_a_bound_that_nats_cannot_set_aside_is_halved_until_it_can(start: Start, tmp_path: Path) -> None:
    server = start(NatsServer(tmp_path, "n", jetstream="max_file_store: 40MB"))
    settings = HistorySettings("file", bytes_max=100_000_000)
    engine = await open_nats(f"nats://localhost:{server.port}", name="a", history=settings)
    try:
        await engine.history.keep(KEPT)
        block = secrets.token_bytes(200_000)
        first = await engine.history.append(ROOM, block, KEPT)
        for _ in range(15):
            await asyncio.gather(*(engine.history.append(ROOM, block, KEPT) for _ in range(10)))
        page = await engine.history.read(ROOM, KEPT, first.offset, 1)
        assert page.publications, "newer ones are stored"
        assert page.publications[0][0] > first.offset + 1, (
            "of 30 MB, 25 MB are kept: nothing was refused, the oldest went"
        )
    finally:
        await engine.close()


ACCOUNT = """
accounts {
  RING: {
    jetstream: { max_file: 8MB, max_mem: 8MB }
    users: [ { user: "ring", password: "secret" } ]
  }
}
"""


@pytest.mark.parametrize(
    ("storage", "jetstream", "settings", "login"),
    [
        ("file", "max_file_store: 8MB", "", ""),
        ("memory", "max_memory_store: 8MB", "", ""),
        ("file", "", ACCOUNT, "ring:secret@"),
        ("memory", "", ACCOUNT, "ring:secret@"),
    ],
    ids=["server's files", "server's memory", "account's files", "account's memory"],
)
async def test_nats_without_room_refuses_history_alone_and_goes_on_when_there_is_some(
    start: Start,
    tmp_path: Path,
    storage: Literal["memory", "file"],
    jetstream: str,
    settings: str,
    login: str,
) -> None:
    server = start(NatsServer(tmp_path, "n", jetstream=jetstream, settings=settings))
    assert isinstance(server, NatsServer)
    async with AsyncExitStack() as stack:
        engine = await stack.enter_async_context(nats(server, storage, login))
        assert await engine.lease.acquire("leader", "a", 60)
        said = await fill(engine)
        assert "max_file_store" in said
        assert "history_size" in said
        assert engine.problem == said
        assert engine.up
        newcomer = await stack.enter_async_context(nats(server, storage, login))
        await newcomer.history.keep(KEPT)
        await all_but_history(engine, newcomer)
        async with operator(f"nats://{login}localhost:{server.port}") as jetstream:
            await jetstream.purge_stream("rw=ringway=chat")
        await engine.history.append(ROOM, b"room again", KEPT)
        assert engine.problem == ""


async def test_an_account_that_has_no_memory_keeps_leases_in_files(start: Start, tmp_path: Path) -> None:
    account = (
        'accounts { RING: { jetstream: { max_file: 64MB, max_mem: 1KB }, users: [ { user: "r", password: "p" } ] } }'
    )
    server = start(NatsServer(tmp_path, "n", settings=account))
    assert isinstance(server, NatsServer)
    async with nats(server, "file", "r:p@") as engine:
        assert await engine.lease.acquire("leader", "a", 60)
        assert await engine.lease.renew("leader", "a", 60)


async def test_a_bound_of_ones_own_never_fills_the_server(start: Start, tmp_path: Path) -> None:
    server = start(NatsServer(tmp_path, "n", jetstream="max_file_store: 8MB"))
    settings = HistorySettings("file", bytes_max=2 << 20)
    assert isinstance(server, NatsServer)
    engine = await open_nats(f"nats://localhost:{server.port}", name="a", history=settings)
    try:
        for _ in range(8):
            await asyncio.gather(*(engine.history.append(ROOM, b"x" * 200_000, KEPT) for _ in range(10)))
        assert engine.problem == ""
    finally:
        await engine.close()


async def test_a_small_server_has_room_for_several_namespaces_and_they_keep_it(start: Start, tmp_path: Path) -> None:
    server = start(NatsServer(tmp_path, "n", jetstream="max_file_store: 8MB"))
    assert isinstance(server, NatsServer)
    namespaces = [Retention(name, 100, 600) for name in ("one", "two", "three")]

    async def sizes() -> list[int]:
        """Have the streams, and return how much is set aside for each."""
        settings = HistorySettings("file", bytes_max=1 << 30)
        engine = await open_nats(f"nats://localhost:{server.port}", name="a", history=settings)
        try:
            for retention in namespaces:
                await engine.history.keep(retention)
            async with operator(f"nats://localhost:{server.port}") as stream:
                infos = [await stream.stream_info(f"rw=ringway={retention.namespace}") for retention in namespaces]
            return [info.config.max_bytes or 0 for info in infos]
        finally:
            await engine.close()

    first = await sizes()
    assert min(first) >= 1 << 20
    assert sum(first) <= 8 << 20
    assert await sizes() == first


async def test_members_lead_on_after_nats_lost_what_it_had_in_memory(start: Start, tmp_path: Path) -> None:
    server = start(NatsServer(tmp_path, "n"))
    assert isinstance(server, NatsServer)
    async with nats(server, "file") as a, nats(server, "file") as b:
        fence = await a.lease.acquire("leader", "a", 5)
        assert fence is not None
        assert await b.lease.acquire("leader", "b", 5) is None
        server.kill()
        await until(lambda: not a.up and not b.up)
        server.start()
        await until(lambda: a.up and b.up)
        assert await b.lease.acquire("leader", "b", 5) is None  # it knows that there was a holder
        assert await a.lease.renew("leader", "a", 5)
        async with nats(server, "file") as newcomer:
            assert await newcomer.lease.acquire("leader", "c", 5) is None
        await a.lease.release("leader", "a")
        later = await b.lease.acquire("leader", "b", 5)
        assert later is not None
        assert later > fence


@pytest.mark.parametrize(
    "binary",
    [lambda: "redis-server", oldest_redis, valkey],
    ids=["redis", "redis 6.2", "valkey"],
)
async def test_redis_without_memory_refuses_history_alone_and_goes_on_when_there_is_some(
    start: Start, tmp_path: Path, binary: Callable[[], str]
) -> None:
    settings = "maxmemory 8mb", "maxmemory-policy noeviction"
    server = start(RedisServer(tmp_path, *settings, binary=binary()))
    assert isinstance(server, RedisServer)
    async with AsyncExitStack() as stack:
        engine = await stack.enter_async_context(redis(server))
        assert await engine.lease.acquire("leader", "a", 60)
        said = await fill(engine)
        assert "raise maxmemory" in said
        assert engine.problem == said
        newcomer = await stack.enter_async_context(redis(server))
        await all_but_history(engine, newcomer)
        assert server.command("CONFIG", "SET", "maxmemory", "100mb").startswith("+OK")
        await engine.history.append(ROOM, b"room again", KEPT)
        assert engine.problem == ""


async def test_redis_that_cannot_write_to_its_disk_says_so_and_goes_on_when_it_can(
    start: Start, tmp_path: Path
) -> None:
    server = start(RedisServer(tmp_path, "save 3600 100000"))
    assert isinstance(server, RedisServer)
    async with redis(server) as engine:
        dump = tmp_path / "data" / "dump.rdb"
        dump.mkdir()  # nothing can be written in its place
        server.command("BGSAVE")
        await until(lambda: "rdb_last_bgsave_status:err" in server.command("INFO", "persistence"))
        with pytest.raises(EngineUnsuitable, match="cannot write its data to disk"):
            await engine.history.append(ROOM, b"x", KEPT)
        with pytest.raises(EngineUnsuitable, match="cannot write its data to disk"):
            await engine.lease.acquire("leader", "a", 60)
        assert "cannot write its data to disk" in engine.problem
        await engine.broker.publish(ROOM, b"plain")
        async with redis(server) as newcomer:
            assert newcomer.up
        dump.rmdir()
        server.command("BGSAVE")
        await until(lambda: "rdb_last_bgsave_status:ok" in server.command("INFO", "persistence"))
        await engine.history.append(ROOM, b"x", KEPT)
        assert await engine.lease.acquire("leader", "a", 60)
        assert engine.problem == ""

"""Redis beside the contract: TLS, users, prefixes, unsuitable servers, and actions of operators."""

import asyncio
import datetime
import ipaddress
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import AsyncExitStack
from pathlib import Path
from typing import Any

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from ringway.core.fencing_number import TTL_S_MAX
from ringway.engine.redis.command_connection import SILENT_CHECKS_MAX
from ringway.engine.redis.connection import CHECK_S
from ringway.engine.redis.engine import RedisEngine, open_redis
from ringway.errors import EngineAway, EngineUnsuitable, NoAnswer
from ringway.net.paced_reading import READ_PAUSE_S
from ringway.ports import Retention
from ringway.testing.contract.world import Inbox, echo, until
from ringway.types import Channel, NodeName, Role
from support.fleet import Fleet, make_fleet
from support.redis_server import RedisServer
from support.system import free_port

ROOM = Channel("room")
KEPT = Retention("chat", 100, 600)
PATIENCE_S = 20.0

Start = Callable[..., RedisServer]
Open = Callable[..., Awaitable[RedisEngine]]


@pytest.fixture
def start(tmp_path: Path) -> Iterator[Start]:
    """Start a server with these settings."""
    servers: list[RedisServer] = []

    def begin(*settings: str, **options: int) -> RedisServer:
        server = RedisServer(tmp_path / str(len(servers)), *settings, **options)  # type: ignore[arg-type]
        servers.append(server)
        server.start()
        return server

    yield begin
    for server in servers:
        server.kill()


@pytest.fixture
async def member() -> AsyncIterator[Open]:
    """Open an engine, which is closed after the test."""
    async with AsyncExitStack() as stack:

        async def begin(url: str, **options: Any) -> RedisEngine:
            engine = await open_redis(url, name="a member", **options)
            stack.push_async_callback(engine.close)
            return engine

        yield begin


async def use(engine: RedisEngine) -> None:
    """Use every port once."""
    inbox = Inbox(engine)
    heard: list[NodeName] = []
    await engine.registry.watch(tuple(Role), lambda role, member, _: heard.append(member))
    await engine.registry.announce(Role.NODE, NodeName("a"), b"report")
    await engine.broker.subscribe(ROOM)
    await engine.broker.publish(ROOM, b"plain")
    await engine.history.append(ROOM, b"kept", KEPT, key="1")
    serving = await engine.bus.serve("node.a", echo)
    assert await engine.bus.call("node.a", b"hi", timeout_s=PATIENCE_S) == b"echo hi"
    await serving.close()
    assert await engine.lease.acquire("leader", "a", 5)
    await engine.lease.release("leader", "a")
    assert await inbox.count(2) == [(ROOM, b"plain"), (ROOM, b"kept")]
    assert (await engine.history.read(ROOM, KEPT, 0, 10)).complete
    await until(lambda: "a" in heard)


async def insist(engine: RedisEngine, payload: bytes) -> None:
    """Append it, again and again while the engine is away."""
    async with asyncio.timeout(PATIENCE_S):
        while True:
            try:
                await engine.history.append(ROOM, payload, KEPT, key="the same")
            except EngineAway:
                await asyncio.sleep(0.02)
            else:
                return


def certify(directory: Path) -> tuple[Path, Path]:
    """Write a certificate for 127.0.0.1 that proves itself, and its key."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "redis")])
    now = datetime.datetime.now(datetime.UTC)
    certificate = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - datetime.timedelta(hours=1))
        .not_valid_after(now + datetime.timedelta(hours=1))
        .add_extension(x509.SubjectAlternativeName([x509.IPAddress(ipaddress.ip_address("127.0.0.1"))]), critical=False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
        .sign(key, hashes.SHA256())
    )
    files = directory / "cert.pem", directory / "key.pem"
    files[0].write_bytes(certificate.public_bytes(serialization.Encoding.PEM))
    files[1].write_bytes(
        key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    )
    return files


async def test_tls_proves_the_server_and_us(start: Start, tmp_path: Path, member: Open) -> None:
    certificate, key = certify(tmp_path)
    port = free_port()
    start(f"tls-port {port}", f"tls-cert-file {certificate}", f"tls-key-file {key}", f"tls-ca-cert-file {certificate}")
    url = f"rediss://127.0.0.1:{port}?ca_file={certificate}"
    engine = await member(f"{url}&cert_file={certificate}&key_file={key}")
    await use(engine)
    for other in (f"rediss://127.0.0.1:{port}", f"rediss://localhost:{port}?ca_file={certificate}"):
        with pytest.raises(EngineUnsuitable, match="certificate"):
            await open_redis(other, name="a", wait_s=0)
    # Redis resets the connection after its alert: the alert may be lost with it, and then it may as well have stopped.
    with pytest.raises((EngineUnsuitable, EngineAway), match="cert_file and key_file"):
        await open_redis(url, name="a", wait_s=0)


async def test_a_user_needs_no_more_than_our_keys_and_channels(start: Start, member: Open) -> None:
    server = start(
        "user default off", "user ring on >s%cret ~own:ringway:* &own:ringway:* +@all -@admin -@dangerous +info +role"
    )
    engine = await member(f"redis://ring:s%25cret@127.0.0.1:{server.port}?prefix=own")
    await use(engine)


async def test_what_a_user_lacks_is_named_without_his_password(start: Start) -> None:
    server = start(
        "user default off",
        "user deaf on >secret ~* resetchannels +@all",
        "user mute on >secret ~* &* +@all -publish",
        "user poor on >secret ~* &* +@all -xadd",
        "user other on >secret ~else:* &* +@all",
    )
    for user, says in (("deaf", "channel"), ("mute", "publish"), ("poor", "xadd"), ("other", "keys")):
        with pytest.raises(EngineUnsuitable, match=says) as caught:
            await open_redis(f"redis://{user}:secret@127.0.0.1:{server.port}", name="a")
        assert "secret" not in str(caught.value)
    for login, says in (("deaf:wrong@", "WRONGPASS"), ("", "NOAUTH")):
        with pytest.raises(EngineUnsuitable, match=says) as caught:
            await open_redis(f"redis://{login}127.0.0.1:{server.port}", name="a")
        assert "wrong@" not in str(caught.value)


async def test_clusters_prefixes_and_databases_keep_systems_apart(start: Start, member: Open) -> None:
    server = start()
    engines = [
        await member(f"{server.url}/{database}?prefix={prefix}", cluster=cluster)
        for database, prefix, cluster in ((0, "rw", "one"), (0, "rw", "two"), (0, "x", "one"), (1, "y", "one"))
    ]
    inboxes = [Inbox(engine) for engine in engines]
    for engine in engines:
        await engine.broker.subscribe(ROOM)
    for number, engine in enumerate(engines):
        await engine.history.append(ROOM, b"%d" % number, KEPT)
        assert await engine.lease.acquire("leader", "a", 60)
        with pytest.raises(NoAnswer):
            await engine.bus.call("node.a", b"", timeout_s=PATIENCE_S)
    for number, inbox in enumerate(inboxes):
        assert await inbox.count(1) == [(ROOM, b"%d" % number)]


async def test_a_server_that_will_not_do_is_named(start: Start, tmp_path: Path) -> None:
    master = start()
    replica = start(f"replicaof 127.0.0.1 {master.port}")
    clustered = start("cluster-enabled yes", f"cluster-port {free_port()}")
    sentinel = RedisServer(tmp_path / "sentinel", sentinel=True)
    sentinel.start()
    try:
        for url, says in (
            (replica.url, "replica"),
            (clustered.url, r"redis\+cluster://"),
            (f"redis://127.0.0.1:{sentinel.port}", r"redis\+sentinel://"),
            (f"redis+cluster://127.0.0.1:{master.port}", "not part of a cluster"),
            (f"redis+cluster://127.0.0.1:{clustered.port}", "covers 0 of 16384 slots"),
            (f"redis+sentinel://127.0.0.1:{sentinel.port}/nobody", "nothing called 'nobody'"),
            (f"redis+sentinel://127.0.0.1:{master.port}/m", "SENTINEL"),
            (f"redis://127.0.0.1:{free_port()}", "cannot be reached"),
        ):
            with pytest.raises((EngineUnsuitable, EngineAway), match=says):
                await open_redis(url, name="a", wait_s=0)
    finally:
        sentinel.kill()


async def test_a_server_that_starts_is_waited_for(tmp_path: Path, member: Open) -> None:
    server = RedisServer(tmp_path)
    opening = asyncio.ensure_future(member(server.url, wait_s=PATIENCE_S))
    await asyncio.sleep(0.3)
    assert not opening.done()
    server.start()
    engine = await opening
    await use(engine)
    server.kill()


async def test_a_flush_by_the_operator_is_a_new_epoch_and_work_goes_on(start: Start, member: Open) -> None:
    server = start()
    engine = await member(server.url)
    before = await engine.history.append(ROOM, b"1", KEPT)
    assert server.command("FLUSHALL").startswith("+OK")
    after = await engine.history.append(ROOM, b"2", KEPT)
    assert after.epoch != before.epoch
    assert (await engine.history.read(ROOM, KEPT, 0, 10)).epoch == after.epoch


async def test_scripts_that_were_removed_are_loaded_again(start: Start, member: Open) -> None:
    server = start()
    engine = await member(server.url)
    assert server.command("SCRIPT", "FLUSH").startswith("+OK")
    with pytest.raises(EngineAway, match="NOSCRIPT"):
        await engine.history.append(ROOM, b"refused", KEPT)
    await insist(engine, b"1")
    assert [payload for _, payload in (await engine.history.read(ROOM, KEPT, 0, 10)).publications] == [b"1"]


async def test_memory_that_is_full_is_named_and_what_is_kept_stays(start: Start, member: Open) -> None:
    server = start("maxmemory 3mb", "maxmemory-policy noeviction")
    engine = await member(server.url)
    first = await engine.history.append(ROOM, b"first", KEPT)
    large = [engine.history.append(ROOM, b"x" * 200_000, KEPT) for _ in range(50)]
    with pytest.raises(EngineUnsuitable, match="maxmemory"):
        await asyncio.gather(*large)
    page = await engine.history.read(ROOM, KEPT, 0, 1)
    assert page.publications == [(first.offset, b"first")]


async def test_a_reader_that_redis_cuts_off_is_told_and_misses_nothing_that_is_kept(start: Start, member: Open) -> None:
    server = start("client-output-buffer-limit pubsub 1mb 0 0")
    reader, writer = [await member(server.url) for _ in range(2)]
    inbox = Inbox(reader)
    told: list[bool] = []
    reader.on_return.append(lambda: told.append(reader.up))
    await reader.broker.subscribe(ROOM)
    seen = await writer.history.append(ROOM, b"seen", KEPT)
    await inbox.count(1)
    transport = reader.connections.shard_of(b"").pubsub.transport
    assert transport is not None
    transport.pause_reading()
    for _ in range(40):
        await writer.history.append(ROOM, b"x" * 500_000, KEPT)
    transport.resume_reading()
    await until(lambda: bool(told))
    assert told == [True]
    page = await reader.history.read(ROOM, KEPT, seen.offset, 100)
    assert (len(page.publications), page.complete) == (40, True)
    last = await writer.history.append(ROOM, b"last", KEPT)
    await until(lambda: inbox.places[-1][0] == last.offset)


@pytest.fixture
def cluster(tmp_path: Path) -> Iterator[Fleet]:
    fleet = make_fleet("redis-cluster", tmp_path)
    try:
        fleet.start()
        yield fleet
    finally:
        fleet.kill_all()


async def test_a_slot_that_moves_takes_its_interest_and_history_along(cluster: Fleet, member: Open) -> None:
    a, b = [await member(cluster.url) for _ in range(2)]
    inbox = Inbox(b)
    told: list[bool] = []
    b.on_return.append(lambda: told.append(True))
    await b.broker.subscribe(ROOM)
    await a.history.append(ROOM, b"1", KEPT)
    await inbox.count(1)
    _move_slot(cluster, "{room}")
    await until(lambda: bool(told))
    await insist(a, b"2")
    assert (await inbox.count(2))[1] == (ROOM, b"2")


def _move_slot(cluster: Fleet, name: str) -> None:
    """Move the slot of `name` with its keys from one master to another."""
    servers = [server for server in cluster.servers.values() if isinstance(server, RedisServer)]
    slot = servers[0].command("CLUSTER", "KEYSLOT", name)[1:].strip()
    ids = [server.command("CLUSTER", "MYID").split("\r\n")[1] for server in servers]
    ours = [server for server in servers if not server.command("XLEN", name).startswith("-MOVED")]
    source = servers.index(ours[0])
    target = (source + 1) % len(servers)
    servers[target].command("CLUSTER", "SETSLOT", slot, "IMPORTING", ids[source])
    servers[source].command("CLUSTER", "SETSLOT", slot, "MIGRATING", ids[target])
    keys = servers[source].command("CLUSTER", "GETKEYSINSLOT", slot, "100").split("\r\n")[2::2]
    port = str(servers[target].port)
    answer = servers[source].command("MIGRATE", "127.0.0.1", port, "", "0", "5000", "KEYS", *keys)
    assert answer.startswith("+OK"), answer
    for server in (servers[target], servers[source], *servers):
        server.command("CLUSTER", "SETSLOT", slot, "NODE", ids[target])


@pytest.mark.parametrize(("settings", "proven"), [(("appendfsync always",), True), (("appendfsync everysec",), False)])
async def test_after_a_crash_what_is_kept_is_read_and_called_complete_only_where_that_is_certain(
    start: Start, member: Open, settings: tuple[str, ...], proven: bool
) -> None:
    server = start("appendonly yes", *settings)
    engine = await member(server.url)
    first, last = [await engine.history.append(ROOM, b"%d" % number, KEPT) for number in range(2)]
    server.kill()
    await until(lambda: not engine.up)
    server.start()
    await until(lambda: engine.up)
    page = await engine.history.read(ROOM, KEPT, first.offset, 10)
    assert [payload for _, payload in page.publications] == [b"1"]
    assert (page.epoch == last.epoch, page.complete) == (proven, proven)
    following = await engine.history.append(ROOM, b"2", KEPT)
    page = await engine.history.read(ROOM, KEPT, last.offset, 10)
    assert (page.epoch, page.publications) == (following.epoch, [(following.offset, b"2")])


async def test_a_lease_that_was_lost_with_its_server_is_left_alone_for_its_time(start: Start, member: Open) -> None:
    server = start()
    a, b = [await member(server.url) for _ in range(2)]
    first = await a.lease.acquire("leader", "a", 2)
    assert first is not None
    assert await b.lease.acquire("leader", "b", 2) is None
    server.kill()
    await until(lambda: not a.up and not b.up)
    server.start()
    await until(lambda: a.up and b.up)
    assert await b.lease.acquire("leader", "b", 2) is None
    assert not await a.lease.renew("leader", "a", 2)
    second = await a.lease.acquire("leader", "a", 2)
    assert second is not None
    assert second > first
    await a.lease.release("leader", "a")
    async with asyncio.timeout(PATIENCE_S):
        while (third := await b.lease.acquire("leader", "b", 2)) is None:
            await asyncio.sleep(0.1)
    assert third > second


async def test_a_lease_of_another_release_is_respected(start: Start, member: Open) -> None:
    """PROTOCOL.md P-9.1.1, P-10.10: all wire versions compete for one lease."""
    server = start()
    engine = await member(server.url)
    fence = await engine.lease.acquire("leader", "a", 60)
    assert fence is not None
    lease, number = (
        next(key for key in server.command("KEYS", "*").split() if f":{kind}:" in key) for kind in ("lease", "fence")
    )
    assert lease.endswith(":lease:{leader}")
    assert number.endswith(":fence:{leader}")
    server.command("SET", lease, "gateway-1", "PX", "60000")
    server.command("SET", number, str(fence + 1000))
    assert await engine.lease.acquire("leader", "gateway-2", 60) is None
    server.command("DEL", lease)
    assert await engine.lease.acquire("leader", "gateway-2", 60) == fence + 1001


async def test_lease_data_that_no_member_wrote_stop_nobody_for_long(start: Start, member: Open) -> None:
    server = start()
    engine = await member(server.url)
    assert await engine.lease.acquire("leader", "a", 60)
    (key,) = (key for key in server.command("KEYS", "*").split() if ":lease:" in key)
    server.command("SET", key.replace("lease", "fence"), "no number")
    assert await engine.lease.acquire("leader", "a", 60)
    server.command("SET", key, "nobody")
    assert await engine.lease.acquire("leader", "a", 60) is None
    assert 0 < int(server.command("PTTL", key).strip().lstrip(":")) <= TTL_S_MAX * 1000


async def test_interest_that_stands_outlives_a_subscribe_that_fails(start: Start, member: Open) -> None:
    server = start()
    engine = await member(server.url)
    inbox = Inbox(engine)
    await engine.broker.subscribe(ROOM)
    server.pause()
    again = asyncio.ensure_future(engine.broker.subscribe(ROOM))
    await asyncio.sleep(0)
    server.kill()
    with pytest.raises(EngineAway):
        await again
    await until(lambda: not engine.up)
    server.start()
    await until(lambda: engine.up)
    await engine.broker.publish(ROOM, b"1")
    assert await inbox.count(1) == [(ROOM, b"1")]


async def test_a_connection_that_is_read_in_batches_stays_until_the_server_hangs(start: Start) -> None:
    server = start()
    engine = await open_redis(server.url, name="a", read_pause_s=READ_PAUSE_S)
    back: list[None] = []
    engine.on_return.append(lambda: back.append(None))
    await asyncio.sleep(2 * SILENT_CHECKS_MAX * CHECK_S)
    assert engine.up
    assert not back
    server.pause()
    await until(lambda: not engine.up)
    server.resume()
    await until(lambda: bool(back))
    await engine.close()

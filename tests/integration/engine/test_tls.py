"""Engines over TLS: certificates of both sides, and failures that end in time and name the remedy."""

import asyncio
import logging
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest
import uvloop

from ringway.app.engine import EngineConfig, open_engine
from ringway.engine.nats.opening import open_nats
from ringway.engine.redis.engine import open_redis
from ringway.errors import ConfigError, EngineAway, EngineError, EngineUnsuitable
from ringway.ports import Engine
from ringway.testing.contract.world import until
from ringway.types import Channel
from support.authority import Authority
from support.nats_server import NatsServer
from support.redis_server import RedisServer
from support.system import free_port

PATIENCE_S = 20.0
ROOM = Channel("room")
ENGINES = pytest.mark.parametrize("kind", ["nats", "redis"])
SECURE = {"nats": "tls", "redis": "rediss"}


class Servers:
    """Starts servers; each ends with the test."""

    def __init__(self, directory: Path) -> None:
        self.directory = directory
        self.authority = Authority(directory)
        self.started: list[NatsServer | RedisServer] = []

    def plain(self, kind: str) -> int:
        """Start a server without TLS; return its port."""
        server: NatsServer | RedisServer
        home = self.directory / str(len(self.started))
        server = NatsServer(home, "n") if kind == "nats" else RedisServer(home)
        self.started.append(server)
        server.start()
        return server.port

    def secure(
        self,
        kind: str,
        *names: str,
        expired: bool = False,
        verify: bool = False,
        settings: str = "",
        first: bool = False,
    ) -> int:
        """Start a server whose certificate is for `names`; return its port for TLS."""
        certificate, key = self.authority.sign(f"server{len(self.started)}", *names, expired=expired)
        home = self.directory / str(len(self.started))
        if kind == "nats":
            lines = f'cert_file: "{certificate}", key_file: "{key}", ca_file: "{self.authority.path}", verify: {verify}'
            handshake = f"{lines}, handshake_first: {first}".lower() if first else lines
            text = f"tls {{ {handshake.replace('True', 'true').replace('False', 'false')} }}\n{settings}"
            nats = NatsServer(home, "n", settings=text)
            self.started.append(nats)
            nats.start()
            return nats.port
        port = free_port()
        redis = RedisServer(
            home,
            f"tls-port {port}",
            f"tls-cert-file {certificate}",
            f"tls-key-file {key}",
            f"tls-ca-cert-file {self.authority.path}",
            f"tls-auth-clients {'yes' if verify else 'no'}",
        )
        self.started.append(redis)
        redis.start()
        return port


@pytest.fixture
def servers(tmp_path: Path) -> Iterator[Servers]:
    servers = Servers(tmp_path)
    yield servers
    for server in servers.started:
        server.kill()


async def reach(url: str, wait_s: float = 0) -> Engine:
    """Open the engine, within a time that no machine exceeds unless it hangs."""
    async with asyncio.timeout(PATIENCE_S):
        return await (open_redis if url.startswith("redis") else open_nats)(url, name="a", wait_s=wait_s)


@asynccontextmanager
async def joined(url: str) -> AsyncIterator[Engine]:
    engine = await reach(url, wait_s=PATIENCE_S)
    try:
        yield engine
    finally:
        await engine.close()


async def use(engine: Engine) -> None:
    got: list[bytes] = []
    engine.broker.attach(lambda channel, payload, offset, previous: got.append(payload))
    await engine.broker.subscribe(ROOM)
    await engine.broker.publish(ROOM, b"x" * 100_000)
    await until(lambda: bool(got))
    assert await engine.lease.acquire("leader", "a", 5)
    await engine.lease.release("leader", "a")


async def refused(url: str, says: str, kind: type[EngineError] = EngineUnsuitable) -> None:
    with pytest.raises(kind, match=says) as caught:
        await reach(url)
    assert "secret" not in str(caught.value)


@ENGINES
async def test_an_authority_of_ones_own_proves_the_server(kind: str, servers: Servers) -> None:
    port = servers.secure(kind, "127.0.0.1", "localhost")
    async with joined(f"{SECURE[kind]}://localhost:{port}?ca_file={servers.authority.path}") as engine:
        await use(engine)


@ENGINES
async def test_the_variable_of_openssl_names_the_authority_too(
    kind: str, servers: Servers, monkeypatch: pytest.MonkeyPatch
) -> None:
    port = servers.secure(kind, "127.0.0.1")
    monkeypatch.setenv("SSL_CERT_FILE", str(servers.authority.path))
    async with joined(f"{SECURE[kind]}://127.0.0.1:{port}") as engine:
        await use(engine)
    monkeypatch.setenv("SSL_CERT_FILE", "/nowhere/at/all.pem")
    with pytest.raises(ConfigError, match="SSL_CERT_FILE"):
        await reach(f"{SECURE[kind]}://127.0.0.1:{port}")


@ENGINES
async def test_settings_say_what_the_url_does_not(kind: str, servers: Servers) -> None:
    port = servers.secure(kind, "127.0.0.1", verify=True)
    certificate, key = servers.authority.sign("member", "member")
    config = EngineConfig(
        url=f"{SECURE[kind]}://127.0.0.1:{port}",
        ca_file=str(servers.authority.path),
        cert_file=str(certificate),
        key_file=str(key),
        wait_s=PATIENCE_S,
    )
    async with open_engine(config, "a") as engine:
        await use(engine)


@ENGINES
async def test_what_does_not_prove_the_server_ends_with_the_remedy(kind: str, servers: Servers) -> None:
    scheme, ca = SECURE[kind], f"?ca_file={servers.authority.path}"
    port = servers.secure(kind, "localhost")
    await refused(f"{scheme}://u:secret@localhost:{port}", "ca_file")
    await refused(f"{scheme}://u:secret@127.0.0.1:{port}{ca}", "as its certificate does")
    expired = servers.secure(kind, "localhost", expired=True)
    await refused(f"{scheme}://u:secret@localhost:{expired}{ca}", "renew the server's certificate")


@ENGINES
async def test_a_server_that_wants_a_certificate_says_so(kind: str, servers: Servers) -> None:
    port = servers.secure(kind, "localhost", verify=True)
    url = f"{SECURE[kind]}://localhost:{port}?ca_file={servers.authority.path}"
    await refused(url, "cert_file and key_file", EngineError)
    (servers.directory / "other").mkdir()
    certificate, key = Authority(servers.directory / "other").sign("stranger", "stranger")
    await refused(f"{url}&cert_file={certificate}&key_file={key}", "certificate", EngineError)
    certificate, key = servers.authority.sign("member", "member")
    async with joined(f"{url}&cert_file={certificate}&key_file={key}") as engine:
        await use(engine)


@ENGINES
async def test_tls_where_there_is_none_is_named_and_nothing_is_sent(kind: str, servers: Servers) -> None:
    port = servers.plain(kind)
    await refused(f"{SECURE[kind]}://u:secret@localhost:{port}", f"{kind}://", EngineError)


async def test_redis_without_tls_at_a_port_for_tls_is_named(servers: Servers) -> None:
    port = servers.secure("redis", "localhost")
    await refused(f"redis://u:secret@localhost:{port}", "rediss://", EngineAway)


async def test_nats_may_demand_tls_by_itself(servers: Servers) -> None:
    port = servers.secure("nats", "localhost")
    await refused(f"nats://u:secret@localhost:{port}", "ca_file")


async def test_nats_may_want_tls_before_its_first_word(servers: Servers) -> None:
    port = servers.secure("nats", "localhost", first=True)
    url = f"tls://localhost:{port}?ca_file={servers.authority.path}"
    async with joined(f"{url}&tls_first=true") as engine:
        await use(engine)
    await refused(url, "tls_first=true", EngineAway)
    usual = servers.secure("nats", "localhost")
    await refused(
        f"tls://localhost:{usual}?ca_file={servers.authority.path}&tls_first=true", "leave tls_first out", EngineError
    )


async def test_the_first_server_of_nats_that_proves_itself_is_taken(servers: Servers) -> None:
    bad = servers.secure("nats", "elsewhere")
    good = servers.secure("nats", "localhost")
    for _ in range(4):  # they are tried in any order
        async with joined(f"tls://localhost:{bad},localhost:{good}?ca_file={servers.authority.path}") as engine:
            await use(engine)


@ENGINES
async def test_files_that_cannot_be_used_are_named_at_once(kind: str, servers: Servers) -> None:
    certificate, key = servers.authority.sign("member", "member")
    _, other = servers.authority.sign("other", "other")
    for options, says in (
        ("ca_file=/nowhere.pem", "/nowhere.pem"),
        (f"ca_file={key}", "member.key"),
        (f"cert_file={certificate}&key_file={other}", "other.key"),
        (f"cert_file={key}", "member.key"),
        (f"key_file={key}", "without cert_file"),
    ):
        with pytest.raises(ConfigError, match=says):
            await reach(f"{SECURE[kind]}://localhost:1?{options}")


@ENGINES
@pytest.mark.parametrize("loop", [asyncio.new_event_loop, uvloop.new_event_loop], ids=["asyncio", "uvloop"])
def test_the_end_of_a_connection_is_quiet_and_it_comes_back(
    kind: str, loop: Callable[[], asyncio.AbstractEventLoop], servers: Servers, caplog: pytest.LogCaptureFixture
) -> None:
    port = servers.secure(kind, "localhost")
    server = servers.started[-1]
    troubles: list[object] = []

    async def come_and_go() -> None:
        asyncio.get_running_loop().set_exception_handler(lambda _, context: troubles.append(context))
        async with joined(f"{SECURE[kind]}://localhost:{port}?ca_file={servers.authority.path}") as engine:
            for end in (server.stop, server.kill):
                end()
                await until(lambda: not engine.up)
                server.start()
                await until(lambda: engine.up)
            await use(engine)

    with caplog.at_level(logging.DEBUG, logger="asyncio"), asyncio.Runner(loop_factory=loop) as runner:
        runner.run(come_and_go())
    assert [record.getMessage() for record in caplog.records if record.levelno >= logging.WARNING] == []
    assert troubles == []

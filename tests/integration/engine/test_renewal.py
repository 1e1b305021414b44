"""Credentials of the engine that are renewed in their files while members run: nothing that was confirmed is lost."""

import asyncio
import shutil
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from ringway.engine.nats.opening import open_nats
from ringway.engine.redis.engine import open_redis
from ringway.errors import EngineAway
from ringway.ports import Engine, Retention
from ringway.testing.contract.world import until
from ringway.types import Channel
from support.authority import Authority
from support.log_capture import capture_logs
from support.nats_server import NatsServer
from support.redis_server import RedisServer
from support.system import free_port

ROOM = Channel("room")
KEPT = Retention("kept", 10_000, 600)
ENGINES = pytest.mark.parametrize("kind", ["nats", "redis"])


class Renewable:
    """A server whose password can be changed, and the member's file with the password."""

    def __init__(self, kind: str, directory: Path) -> None:
        self.file = directory / "password"
        self.file.write_text("old")
        self.server: NatsServer | RedisServer
        if kind == "nats":
            self.server = NatsServer(directory / "nats", "n", settings=_user("old"))
        else:
            self.server = RedisServer(directory / "redis", "user ring on >old ~* &* +@all")
        self.url = f"{kind}://localhost:{self.server.port}?user=ring&password_file={self.file}"
        self.server.start()

    def change(self, password: str) -> None:
        """Accept only `password` from now on, and end the connections that logged in with another one."""
        if isinstance(self.server, NatsServer):
            self.server.reload(_user(password))
            return
        assert self.server.command("ACL", "SETUSER", "ring", "resetpass", f">{password}").startswith("+OK")
        self.server.command("CLIENT", "KILL", "USER", "ring")


def _user(password: str) -> str:
    return f'authorization {{ users: [{{ user: "ring", password: "{password}" }}] }}'


@pytest.fixture
def renewable(kind: str, tmp_path: Path) -> Iterator[Renewable]:
    made = Renewable(kind, tmp_path)
    yield made
    made.server.kill()


@asynccontextmanager
async def joined(url: str) -> AsyncIterator[Engine]:
    engine = await (open_redis if url.startswith("redis") else open_nats)(url, name="a")
    try:
        yield engine
    finally:
        await engine.close()


async def append_all(engine: Engine, confirmed: list[bytes]) -> None:
    """Store publications until cancelled, and note those that the engine has confirmed."""
    number = 0
    while True:
        number += 1
        payload = b"%d" % number
        try:
            await engine.history.append(ROOM, payload, KEPT)
        except EngineAway:
            await asyncio.sleep(0.01)
        else:
            confirmed.append(payload)
            await asyncio.sleep(0.001)


def losses_of(engine: Engine) -> Callable[[], int]:
    """Return a function that says how often the engine has returned since now."""
    returns: list[None] = []
    engine.on_return.append(lambda: returns.append(None))
    return lambda: len(returns)


@ENGINES
@pytest.mark.parametrize("order", ["file first", "server first"])
async def test_a_password_that_changes_in_its_file_costs_a_moment_and_nothing_confirmed(
    renewable: Renewable, order: str
) -> None:
    async with joined(renewable.url) as engine:
        await engine.history.keep(KEPT)
        confirmed: list[bytes] = []
        losses = losses_of(engine)
        task = asyncio.ensure_future(append_all(engine, confirmed))
        await until(lambda: len(confirmed) > 20)
        if order == "file first":
            renewable.file.write_text("new")
            await asyncio.to_thread(renewable.change, "new")
        else:
            await asyncio.to_thread(renewable.change, "new")
            await until(lambda: "check user and password" in engine.problem)
            renewable.file.write_text("new")
        await until(lambda: losses() == 1 and engine.up)
        assert engine.problem == ""
        so_far = len(confirmed)
        await until(lambda: len(confirmed) > so_far + 20)
        task.cancel()
        page = await engine.history.read(ROOM, KEPT, 0, 10_000)
        assert set(confirmed) <= {payload for _, payload in page.publications}


@ENGINES
async def test_a_file_that_changes_ends_no_connection(renewable: Renewable) -> None:
    async with joined(renewable.url) as engine:
        losses = losses_of(engine)
        renewable.file.write_text("new")
        for number in range(20):
            await engine.broker.publish(ROOM, b"%d" % number)
            await asyncio.sleep(0.05)
        assert engine.up
        assert losses() == 0


@ENGINES
async def test_certificates_that_are_renewed_serve_the_next_connect(kind: str, tmp_path: Path) -> None:
    authorities = []
    for name in ("old", "new"):
        (tmp_path / name).mkdir()
        authorities.append(Authority(tmp_path / name))
    server, port = _secure(kind, tmp_path, authorities[0])
    ca = tmp_path / "ca.pem"
    shutil.copy(authorities[0].path, ca)
    server.start()
    scheme = {"nats": "tls", "redis": "rediss"}[kind]
    try:
        with capture_logs() as logs:
            async with joined(f"{scheme}://localhost:{port}?ca_file={ca}") as engine:
                server.kill()
                await until(lambda: not engine.up)
                ca.write_text("no certificate")
                server.start()
                await until(lambda: engine.up)
                assert "the last good certificates stay in use" in str(logs)
                server.kill()
                await until(lambda: not engine.up)
                for source, target in zip(authorities[1].sign("server", "localhost"), _files(tmp_path), strict=True):
                    shutil.copy(source, target)
                server.start()
                await until(lambda: "certificate" in engine.problem)
                shutil.copy(authorities[1].path, ca)
                await until(lambda: engine.up)
                await engine.broker.publish(ROOM, b"x")
    finally:
        server.kill()


def _files(directory: Path) -> tuple[Path, Path]:
    return directory / "server.pem", directory / "server.key"


def _secure(kind: str, directory: Path, authority: Authority) -> tuple[NatsServer | RedisServer, int]:
    """Return a server with a certificate of `authority`, and its port for TLS."""
    certificate, key = _files(directory)
    for source, target in zip(authority.sign("server", "localhost"), (certificate, key), strict=True):
        shutil.copy(source, target)
    if kind == "nats":
        nats = NatsServer(directory / "nats", "n", settings=f'tls {{ cert_file: "{certificate}", key_file: "{key}" }}')
        return nats, nats.port
    port = free_port()
    lines = (f"tls-cert-file {certificate}", f"tls-key-file {key}", f"tls-ca-cert-file {authority.path}")
    return RedisServer(directory / "redis", f"tls-port {port}", *lines, "tls-auth-clients no"), port

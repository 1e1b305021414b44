"""History on a cluster of three NATS servers: what replicas survive, and how lost data is noticed there."""

import asyncio
import signal
import subprocess
from collections.abc import AsyncIterator, Callable
from pathlib import Path

import pytest
from nats.js.api import StreamInfo

from integration.nats_kit import operator
from ringway.engine.nats.embedded import find_server
from ringway.engine.nats.engine import NatsEngine
from ringway.engine.nats.opening import open_nats
from ringway.engine.nats.stream import HistorySettings
from ringway.errors import EngineAway, EngineError
from ringway.ports import Position, Retention
from ringway.testing.contract.world import Inbox
from ringway.types import Channel
from support.system import free_port

PATIENCE_S = 60
ROOM, OTHER = Channel("chat:room"), Channel("chat:other")
CHAT = Retention("chat", 1000, 600)

CONFIG = """\
server_name: n{number}
listen: 127.0.0.1:{port}
jetstream {{ store_dir: "{store}" }}
cluster {{ name: c, listen: 127.0.0.1:{route}, routes: [{routes}] }}
log_file: "{store}.log"
"""


class Cluster:
    def __init__(self, directory: Path) -> None:
        self._directory = directory
        self._ports = [free_port() for _ in range(3)]
        self._routes = [free_port() for _ in range(3)]
        self._processes: list[subprocess.Popen[bytes] | None] = [None] * 3

    @property
    def url(self) -> str:
        return "nats://" + ",".join(f"127.0.0.1:{port}" for port in self._ports)

    def url_of(self, number: int) -> str:
        return f"nats://127.0.0.1:{self._ports[number]}"

    def start(self, number: int) -> None:
        path = self._directory / f"n{number}.conf"
        routes = ",".join(f'"nats://127.0.0.1:{route}"' for route in self._routes)
        store = self._directory / f"store{number}"
        values = {"number": number, "port": self._ports[number], "route": self._routes[number]}
        path.write_text(CONFIG.format(**values, store=store, routes=routes))
        self._processes[number] = subprocess.Popen([find_server(), "-c", str(path)])

    def kill(self, number: int) -> None:
        process, self._processes[number] = self._processes[number], None
        if process is not None:
            process.send_signal(signal.SIGKILL)
            process.wait()


@pytest.fixture
async def cluster(tmp_path: Path) -> AsyncIterator[Cluster]:
    cluster = Cluster(tmp_path)
    for number in range(3):
        cluster.start(number)
    yield cluster
    for number in range(3):
        cluster.kill(number)


async def until(condition: Callable[[], bool]) -> None:
    async with asyncio.timeout(PATIENCE_S):
        while not condition():
            await asyncio.sleep(0.02)


async def insist(engine: NatsEngine, payload: bytes, channel: Channel = ROOM) -> Position:
    """Append as a client does that is told to retry, with a key so that it is stored once."""
    async with asyncio.timeout(PATIENCE_S):
        while True:
            try:
                return await engine.history.append(channel, payload, CHAT, key=payload.decode())
            except EngineAway:
                await asyncio.sleep(0.1)


async def describe(engine: NatsEngine) -> StreamInfo:
    """Return what NATS says about the stream, asked by another client at the engine's server."""
    async with operator(f"nats://127.0.0.1:{engine.server.port}") as jetstream:
        return await jetstream.stream_info("rw=ringway=chat")


async def leader(engine: NatsEngine) -> int:
    info = await describe(engine)
    assert info.cluster is not None
    return int((info.cluster.leader or "").removeprefix("n"))


async def open_on(cluster: Cluster, number: int, settings: HistorySettings) -> NatsEngine:
    """Connect to the server `number`, and only to that."""
    async with asyncio.timeout(PATIENCE_S):
        while True:
            try:
                url = cluster.url_of(number)
                engine = await open_nats(url, name=f"on-{number}", wait_s=PATIENCE_S, history=settings)
                await engine.history.keep(CHAT)
            except EngineError:
                await asyncio.sleep(0.2)
            else:
                return engine


@pytest.mark.slow
async def test_three_replicas_keep_what_was_confirmed_when_any_server_dies(cluster: Cluster) -> None:
    settings = HistorySettings("memory")
    engines = [await open_on(cluster, number, settings) for number in range(2)]
    inbox = Inbox(engines[1])
    await engines[1].broker.subscribe(ROOM)
    start = await engines[1].history.position(ROOM, CHAT)
    sent: list[bytes] = []

    async def burst(engine: NatsEngine) -> None:
        payloads = [b"%d" % i for i in range(len(sent), len(sent) + 50)]
        sent.extend(payloads)
        for payload in payloads:
            await insist(engine, payload)

    await burst(engines[0])
    lost = await leader(engines[0])
    engine = engines[0] if lost != 0 else engines[1]
    told: list[bool] = []
    engine.on_return.append(lambda: told.append(engine.up))
    cluster.kill(lost)
    await burst(engine)
    await until(lambda: bool(told))  # though its connection stood: the dead leader may have left something out
    assert told[0]
    cluster.start(lost)
    await until(lambda: all(each.up for each in engines))
    await burst(engines[0])
    for each in engines:
        page = await each.history.read(ROOM, CHAT, start.offset, 1000)
        assert (page.epoch, page.complete) == (start.epoch, True)
        assert [payload for _, payload in page.publications] == sent
        assert (await each.history.position(ROOM, CHAT)).offset == page.offset
        assert (await each.history.position(OTHER, CHAT)).offset >= page.offset
        assert (await each.history.read(OTHER, CHAT, page.offset, 10)).complete
    assert {payload for _, payload in inbox.got} <= set(sent)
    for each in engines:
        await each.close()


@pytest.mark.slow
async def test_a_server_that_lost_its_memory_is_noticed_though_the_stream_was_not_made_anew(cluster: Cluster) -> None:
    settings = HistorySettings("memory", replicas=1)
    first = await open_on(cluster, 0, settings)
    await insist(first, b"0")  # the stream's leader may have to be elected first
    for i in range(1, 20):
        before = await first.history.append(ROOM, b"%d" % i, CHAT)
    lost = await leader(first)
    others = [number for number in range(3) if number != lost]
    survivor = await open_on(cluster, others[0], settings)
    assert (await survivor.history.position(ROOM, CHAT)) == before
    made = (await describe(survivor)).created
    cluster.kill(lost)
    cluster.start(lost)
    after = await insist(survivor, b"new")
    async with asyncio.timeout(PATIENCE_S):
        while (await survivor.history.position(ROOM, CHAT)).epoch == before.epoch:
            await asyncio.sleep(0.05)
    assert after.offset == 1  # it began again, and NATS calls it the same stream
    assert (await describe(survivor)).created == made
    newcomer = await open_on(cluster, others[1], settings)
    page = await newcomer.history.read(ROOM, CHAT, 0, 10)
    assert page.epoch == (await survivor.history.position(ROOM, CHAT)).epoch != before.epoch
    assert [payload for _, payload in page.publications] == [b"new"]
    for each in (first, survivor, newcomer):
        await each.close()

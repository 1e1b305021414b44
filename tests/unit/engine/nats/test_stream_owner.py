"""The life of a stream, against a JetStream that does what the test says."""

import asyncio
from collections.abc import Mapping
from typing import Any, cast

import pytest

from ringway.engine.nats import stream_owner
from ringway.engine.nats.append import Append, Appends
from ringway.engine.nats.jetstream_request import JetStreamRequest
from ringway.engine.nats.stream import (
    GENERATION,
    STREAM_EXISTS,
    STREAM_NOT_FOUND,
    ApiError,
    HistorySettings,
    StreamCluster,
    StreamInfo,
    StreamState,
    wanted_config,
)
from ringway.engine.nats.stream_owner import READS, StreamOwner
from ringway.errors import EngineAway, EngineUnsuitable
from ringway.ports import Retention
from unit.engine.nats.kit import Single

CHAT = Retention("chat", 10, 300)


class JetStream:
    """One stream, and a log of what it was asked."""

    def __init__(self, clustered: bool = False) -> None:
        self.log: list[str] = []
        self.config: dict[str, Any] | None = None
        self.made = 0
        self.last = 0
        self.last_at_look: list[int] = []  # what the next looks see instead
        self.cluster = StreamCluster("n1") if clustered else None
        self.age_s = 0
        self.away = False
        self.gate = asyncio.Event()
        self.gate.set()

    async def api(self, request: str, body: Mapping[str, Any] | None = None) -> StreamInfo:
        verb = request.split(".")[1]
        self.log.append(verb)
        await self.gate.wait()
        if self.away:
            raise EngineAway("away")
        if verb == "INFO" and self.config is None:
            return StreamInfo(error=ApiError(404, STREAM_NOT_FOUND, "stream not found"))
        if verb == "CREATE" and self.config is not None and self.config != body:
            return StreamInfo(error=ApiError(400, STREAM_EXISTS, "in use"))
        if body is not None:
            self.config = dict(body)
        if verb == "CREATE":
            self.made += 1
        last = self.last_at_look.pop(0) if self.last_at_look and verb == "INFO" else self.last
        assert self.config is not None
        created, now = f"2026-11-25T02:00:{self.made:02}Z", f"2026-11-25T02:{self.age_s // 60:02}:59Z"
        return StreamInfo(self.config, created, StreamState(1, last), self.cluster, now)

    def lose(self) -> None:
        self.config, self.last = None, 0


class Sent:
    """Stands for `Appends`: remembers what was sent."""

    def __init__(self) -> None:
        self.sent: list[bytes] = []

    def send(self, append: Append) -> None:
        self.sent.append(append.payload)


class Bench:
    def __init__(self, clustered: bool = False, storage: Any = "memory") -> None:
        self.jetstream = JetStream(clustered)
        self.appends = Sent()
        self.settings = HistorySettings(storage)
        self.owner = self.another()

    def another(self, storage: Any = None) -> StreamOwner:
        settings = HistorySettings(storage) if storage else self.settings

        def want(retention: Retention) -> dict[str, Any]:
            clustered = self.jetstream.cluster is not None
            return wanted_config("rw=c=chat", "rw.c.kept.chat.", "rw.c.ch.", retention, settings, clustered)

        return StreamOwner("rw=c=chat", CHAT, want, cast(JetStreamRequest, self.jetstream), cast(Appends, self.appends))

    def append(self, payload: bytes) -> Append:
        append = Append("subject", b"", payload, self.owner, Single(), 0)
        self.owner.append(append)
        return append


@pytest.fixture(autouse=True)
def no_pauses(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(stream_owner, "AGAIN_S", 0)


async def test_appends_wait_for_the_stream_and_leave_in_their_order() -> None:
    bench = Bench()
    bench.jetstream.gate.clear()
    for payload in (b"1", b"2"):
        bench.append(payload)
    given_up = bench.append(b"given up")
    given_up.outcomes.settled.cancel()
    ready = asyncio.create_task(bench.owner.ready())
    await asyncio.sleep(0.01)
    assert bench.appends.sent == []
    bench.jetstream.gate.set()
    await ready
    bench.append(b"3")
    assert bench.appends.sent == [b"1", b"2", b"3"]
    assert bench.jetstream.log == ["INFO", "CREATE"]


async def test_what_waits_is_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(stream_owner, "WAITING_BYTES_MAX", 10)
    bench = Bench()
    first, second, third = bench.append(b"x" * 6), bench.append(b"y" * 6), bench.append(b"z" * 4)
    assert isinstance(second.outcomes.found[0], EngineAway)
    await bench.owner.ready()
    assert bench.appends.sent == [first.payload, third.payload]


async def test_who_waits_is_refused_when_jetstream_stays_away(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(stream_owner, "MAKE_S", 0)
    bench = Bench()
    bench.jetstream.away = True
    append = bench.append(b"1")
    with pytest.raises(EngineAway):
        await bench.owner.ready()
    assert isinstance(append.outcomes.found[0], EngineAway)
    bench.jetstream.away = False
    bench.append(b"2")
    await bench.owner.ready()
    assert bench.appends.sent == [b"2"]


async def test_a_stream_that_is_there_is_adapted_when_it_differs() -> None:
    bench = Bench()
    await bench.owner.ready()
    other = bench.another()
    await other.ready()
    assert bench.jetstream.log == ["INFO", "CREATE", "INFO"]
    assert other.epoch == bench.owner.epoch
    await other.adapt(CHAT)
    assert bench.jetstream.log == ["INFO", "CREATE", "INFO"]
    await other.adapt(Retention("chat", 20, 300))
    assert bench.jetstream.log[3:] == ["INFO", "UPDATE"]
    assert bench.jetstream.config is not None
    assert bench.jetstream.config["max_msgs_per_subject"] == 20
    assert other.epoch == bench.owner.epoch


async def test_a_stream_in_memory_does_not_pass_for_one_in_a_file() -> None:
    bench = Bench()
    await bench.owner.ready()
    with pytest.raises(EngineUnsuitable, match=r"stored in memory.*nats stream rm rw=c=chat"):
        await bench.another("file").ready()


async def test_a_stream_in_a_file_serves_who_asks_for_memory() -> None:
    bench = Bench(storage="file")
    await bench.owner.ready()
    await bench.another("memory").ready()
    assert bench.jetstream.log == ["INFO", "CREATE", "INFO"]


async def test_a_stream_that_was_closed_while_it_was_opened_is_looked_at_again() -> None:
    bench = Bench()
    bench.jetstream.gate.clear()
    ready = asyncio.create_task(bench.owner.ready())
    await asyncio.sleep(0.01)
    bench.owner.suspend()  # the connection was lost, and with it what is being answered
    bench.jetstream.gate.set()
    await ready
    assert bench.jetstream.log == ["INFO", "CREATE", "INFO"]


async def test_looks_are_shared_by_those_who_ask_before_they_begin() -> None:
    bench = Bench()
    await bench.owner.ready()
    bench.jetstream.log.clear()
    await asyncio.gather(*(bench.owner.read_info() for _ in range(10)))
    assert bench.jetstream.log == ["INFO"]
    bench.jetstream.gate.clear()
    first = asyncio.create_task(bench.owner.read_info())
    await asyncio.sleep(0.01)
    assert bench.jetstream.log == ["INFO"] * 2
    later = [asyncio.create_task(bench.owner.read_info()) for _ in range(10)]  # the one under way began before these
    await asyncio.sleep(0.01)
    bench.jetstream.gate.set()
    await asyncio.gather(first, *later)
    assert bench.jetstream.log == ["INFO"] * 3


async def test_a_stream_that_was_made_anew_has_a_new_epoch() -> None:
    bench = Bench()
    await bench.owner.ready()
    before = bench.owner.epoch
    bench.owner.on_stored(7)
    bench.jetstream.lose()
    bench.owner.suspend()
    bench.append(b"1")
    await bench.owner.ready()
    assert bench.owner.epoch != before
    assert bench.jetstream.log[2:] == ["INFO", "CREATE"]
    assert bench.appends.sent == [b"1"]


async def test_a_stream_that_is_gone_is_made_again_by_a_look() -> None:
    bench = Bench()
    await bench.owner.ready()
    before = bench.owner.epoch
    bench.jetstream.lose()
    assert (await bench.owner.read_info()).epoch == bench.owner.epoch != before
    assert bench.jetstream.log[2:] == ["INFO", "INFO", "CREATE", "INFO"]


async def test_publications_that_are_gone_end_the_life_of_the_stream_for_all_members() -> None:
    bench = Bench(clustered=True)
    await bench.owner.ready()
    other = bench.another()
    await other.ready()
    before = bench.owner.epoch
    for offset in range(1, 8):
        bench.owner.on_stored(offset)
        other.on_stored(offset)
    bench.jetstream.last = 3
    info = await bench.owner.read_info()
    assert info.epoch == bench.owner.epoch != before
    assert bench.jetstream.log[3:] == [*["INFO"] * READS, "UPDATE"]
    await other.read_info()
    assert bench.jetstream.log[3 + READS + 1 :] == ["INFO"]  # it adopts the new life, and makes none itself
    assert other.epoch == bench.owner.epoch
    assert bench.jetstream.config is not None
    assert GENERATION in bench.jetstream.config["metadata"]


async def test_a_leader_that_lags_for_a_moment_ends_nothing() -> None:
    bench = Bench()
    await bench.owner.ready()
    before = bench.owner.epoch
    bench.owner.on_stored(7)
    bench.jetstream.last = 7
    bench.jetstream.last_at_look = [5] * (READS - 1)
    await bench.owner.read_info()
    assert bench.owner.epoch == before
    assert "UPDATE" not in bench.jetstream.log


async def test_what_is_stored_while_the_question_travels_need_not_be_in_the_answer() -> None:
    bench = Bench()
    await bench.owner.ready()
    bench.jetstream.last_at_look = [4]
    bench.jetstream.last = 4
    bench.jetstream.gate.clear()
    look = asyncio.create_task(bench.owner.read_info())
    await asyncio.sleep(0.01)
    for offset in range(5, 8):
        bench.owner.on_stored(offset)
    bench.jetstream.gate.set()
    await look
    assert bench.jetstream.log == ["INFO", "CREATE", "INFO"]


async def test_an_offset_that_comes_again_lets_it_look() -> None:
    bench = Bench()
    await bench.owner.ready()
    before = bench.owner.epoch
    bench.owner.on_stored(7)
    bench.jetstream.last = 1
    bench.owner.on_stored(1)
    async with asyncio.timeout(20):
        while bench.owner.epoch == before:
            await asyncio.sleep(0)
    assert bench.jetstream.log[2:] == [*["INFO"] * READS, "UPDATE"]
    bench.owner.on_stored(2)
    await asyncio.sleep(0.01)
    assert len(bench.jetstream.log) == 2 + READS + 1


@pytest.mark.parametrize(("clustered", "age_s", "last", "renews"), [
    (True, 120, 0, True), (True, 0, 0, False), (True, 120, 1, False), (False, 120, 0, False),
])  # fmt: skip
async def test_an_old_empty_stream_of_a_cluster_is_given_a_new_life(
    clustered: bool, age_s: int, last: int, renews: bool
) -> None:
    """Its servers may have lost what it had while no member was there to notice."""
    bench = Bench(clustered)
    await bench.owner.ready()
    bench.jetstream.age_s, bench.jetstream.last = age_s, last
    other = bench.another()
    await other.ready()
    assert (other.epoch != bench.owner.epoch) == renews


async def test_ending_leaves_no_task_and_refuses_who_waits() -> None:
    before = asyncio.all_tasks()
    bench = Bench()
    bench.jetstream.gate.clear()
    append = bench.append(b"1")
    look = asyncio.create_task(bench.owner.read_info())
    await asyncio.sleep(0.01)
    await bench.owner.aclose()
    assert isinstance(append.outcomes.found[0], EngineAway)
    await asyncio.gather(look, return_exceptions=True)
    assert asyncio.all_tasks() == before

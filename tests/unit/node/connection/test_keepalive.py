"""Deadlines of connections that exist in name only, on time that the test moves."""

from collections import Counter
from collections.abc import Iterator
from itertools import pairwise
from math import inf
from random import Random
from typing import Any

import msgspec
import pytest

from ringway.node.config.node import NodeConfig
from ringway.node.connection.command_queue import CommandQueue
from ringway.node.connection.keepalive import Beat, Keepalive
from ringway.node.stats import NodeStats

CONFIG = NodeConfig(ping_interval_s=25, pong_timeout_s=8, connect_deadline_s=10, close_deadline_s=2)
START = 1000.0


class Fake:
    """As much of a connection as the keepalive sees."""

    def __init__(self, now: list[float]) -> None:
        self.slot = -1
        self.beat = Beat.EXPECTED
        self.ends_at = inf
        self.is_connected = False
        self.is_closing = False
        self.is_held = False
        self.command_queue: CommandQueue | None = None
        self.waiting = 0
        self.log: list[tuple[float, str]] = []
        self._now = now

    def send(self, opcode: int, payload: bytearray, offset: int) -> None:
        assert payload[offset:] == b"{}"
        self.log.append((self._now[0], "ping"))

    def close(self, code: int, reason: str) -> None:
        self.log.append((self._now[0], f"{code} age" if reason == "age" else str(code)))
        self.is_connected = False

    def waiting_bytes(self) -> int:
        return self.waiting

    def cut(self) -> None:
        self.log.append((self._now[0], "cut"))


class Bench:
    def __init__(self, config: NodeConfig = CONFIG) -> None:
        self.now = [START]
        self.stats = NodeStats()
        self.keepalive = Keepalive(config, Random(1), self.stats, START)

    def connection(self, *, connected: bool = True) -> Any:
        fake: Any = Fake(self.now)
        self.keepalive.on_opened(fake, self.now[0])
        if connected:
            fake.is_connected = True
            self.keepalive.on_connected(fake, self.now[0])
        return fake

    def until(self, end: float, step: float = 0.25) -> Iterator[float]:
        """Tick until `end`; yields after each tick."""
        while self.now[0] < end:
            self.now[0] += step
            self.keepalive.tick(self.now[0])
            yield self.now[0]


@pytest.fixture
def bench() -> Bench:
    return Bench()


def test_pings_come_at_their_interval_as_long_as_they_are_answered(bench: Bench) -> None:
    fake = bench.connection()
    for _ in bench.until(START + 200):
        if fake.beat is Beat.PINGED:
            fake.beat = Beat.ANSWERED
    times = [at for at, what in fake.log]
    assert {what for _, what in fake.log} == {"ping"}
    assert times[0] <= START + 25.25
    assert all(24.5 <= later - earlier <= 25.5 for earlier, later in pairwise(times))
    assert bench.stats.pings == len(times)


def test_a_dead_peer_is_freed_within_ping_and_pong_time(bench: Bench) -> None:
    fakes = [bench.connection() for _ in range(100)]
    for _ in bench.until(START + 33.25):
        pass
    for fake in fakes:
        (pinged, first), (closed, second), (_, third) = fake.log
        assert (first, second, third) == ("ping", "3012", "cut")
        assert 7.5 <= closed - pinged <= 8.5
    assert len({fake.log[0][0] for fake in fakes}) > 15, "first pings are spread"


def test_a_connect_command_is_awaited_its_whole_time(bench: Bench) -> None:
    bench.now[0] += 0.9
    fake = bench.connection(connected=False)
    for _ in bench.until(START + 30):
        pass
    assert len(fake.log) == 1
    at, what = fake.log[0]
    assert what == "3502"
    assert 10.0 <= at - (START + 0.9) <= 11.25


def test_an_answer_to_a_close_is_awaited_its_whole_time(bench: Bench) -> None:
    fake = bench.connection()
    bench.now[0] += 0.7
    fake.is_connected, fake.is_closing = False, True
    bench.keepalive.on_closing(fake, bench.now[0])
    for _ in bench.until(START + 60):
        pass
    assert len(fake.log) == 1
    at, what = fake.log[0]
    assert what == "cut"
    assert 2.0 <= at - (START + 0.7) <= 3.25


def test_who_is_forgotten_is_left_alone(bench: Bench) -> None:
    fake = bench.connection()
    bench.keepalive.forget(fake)
    bench.keepalive.forget(fake)
    for _ in bench.until(START + 60):
        pass
    assert fake.log == []


def test_a_process_that_was_stopped_first_reads_what_came_meanwhile(bench: Bench) -> None:
    fake = bench.connection()
    for _ in bench.until(START + 60):
        if fake.beat is Beat.PINGED:
            break
    bench.now[0] += 600  # the machine slept; the pong lies in the socket
    bench.keepalive.tick(bench.now[0])
    assert [what for _, what in fake.log] == ["ping"]
    fake.beat = Beat.ANSWERED
    for _ in bench.until(bench.now[0] + 20):
        pass
    assert "3012" not in [what for _, what in fake.log]


def test_a_thousand_that_came_together_do_not_end_together() -> None:
    bench = Bench(msgspec.structs.replace(CONFIG, max_age_s=1000.0))
    fakes = [bench.connection() for _ in range(1000)]
    ends: Counter[int] = Counter()
    for now in bench.until(START + 1502):
        for fake in fakes:
            if fake.beat is Beat.PINGED:
                fake.beat = Beat.ANSWERED
        for fake in [fake for fake in fakes if not fake.is_connected]:
            fakes.remove(fake)
            ends[int(now)] += 1
            assert fake.log[-1][1] == "1012 age"
            assert 0.0 <= now - fake.ends_at <= CONFIG.pong_timeout_s + 1.0
    assert fakes == []
    assert bench.stats.aged == 1000
    assert max(ends.values()) < 15, "of 1,000 in any second"
    assert START + 100 <= min(ends) < START + 150, "these came as a storm"


def test_a_silent_client_is_closed_for_that_and_not_for_its_age() -> None:
    bench = Bench(msgspec.structs.replace(CONFIG, max_age_s=1000.0))
    fake = bench.connection()
    for _ in bench.until(START + 60):
        pass
    assert [what for _, what in fake.log] == ["ping", "3012", "cut"]
    assert bench.stats.aged == 0


def test_an_age_shorter_than_the_pause_between_pings_is_held() -> None:
    bench = Bench(msgspec.structs.replace(CONFIG, max_age_s=4.0))
    fakes = [bench.connection() for _ in range(50)]
    for _ in bench.until(START + 8, step=0.25):
        for fake in fakes:
            if fake.beat is Beat.PINGED:
                fake.beat = Beat.ANSWERED
    assert sum(fake.log[-1][1] == "1012 age" for fake in fakes if fake.log) >= 35, "all that were not being pinged"


def test_a_client_that_nothing_is_read_from_is_judged_by_what_it_takes() -> None:
    bench = Bench()
    fake = bench.connection()
    fake.is_held, fake.command_queue, fake.waiting = True, CommandQueue(), 900_000
    for _ in bench.until(START + 200):
        fake.waiting -= 1000
    assert [what for _, what in fake.log] == ["ping"], "it reads, and its pong is not read"
    for _ in bench.until(START + 220):
        pass
    assert [what for _, what in fake.log] == ["ping", "3008", "cut"]


def test_a_client_that_waits_for_the_engine_and_was_sent_all_is_not_closed() -> None:
    bench = Bench()
    fake = bench.connection()
    fake.is_held, fake.command_queue = True, CommandQueue()
    for _ in bench.until(START + 100):
        pass
    assert [what for _, what in fake.log] == ["ping"]
    fake.is_held, fake.command_queue, fake.beat = False, None, Beat.ANSWERED
    for _ in bench.until(START + 130):
        pass
    assert [what for _, what in fake.log][:2] == ["ping", "ping"]

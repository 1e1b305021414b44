"""Appends over a connection that does what the test says."""

import asyncio
from typing import cast

import pytest

from ringway.engine.nats import append as nats_append
from ringway.engine.nats.append import Append, Appends
from ringway.engine.nats.connection import NatsConnection
from ringway.engine.nats.subscription import NatsSubscription
from ringway.errors import EngineAway, EngineUnsuitable, Unconfirmed
from unit.engine.nats.kit import Single


class FakeConnection:
    """Remembers what was sent, and lets the test answer."""

    payload_bytes_max = 100
    up = True

    def __init__(self) -> None:
        self.sent: list[tuple[bytes, str]] = []
        self.subscription: NatsSubscription | None = None

    def subscribe(self, subscription: NatsSubscription) -> int:
        self.subscription = subscription
        return 1

    def require(self) -> None:
        if not self.up:
            raise EngineAway("away")

    def send(self, subject: str, payload: bytes, reply: str = "", header: bytes = b"") -> None:
        self.require()
        self.sent.append((payload, reply))

    def answer(self, number: int, payload: bytes, header: bytes = b"") -> None:
        assert self.subscription is not None
        self.subscription.receive(self.sent[number][1].encode(), b"", header, payload)


class Stream:
    epoch = "e"

    def __init__(self) -> None:
        self.told: list[int | str] = []

    def on_stored(self, offset: int) -> None:
        self.told.append(offset)

    def on_missing(self) -> None:
        self.told.append("missing")


class Bench:
    def __init__(self) -> None:
        self.connection = FakeConnection()
        self.appends = Appends(cast(NatsConnection, self.connection), "inbox")
        self.stream = Stream()

    def send(self, payload: bytes) -> Single:
        single = Single()
        self.appends.send(Append("subject", b"", payload, self.stream, single, 0))
        return single


@pytest.fixture
async def bench() -> Bench:
    return Bench()


async def test_each_gets_its_own_answer(bench: Bench) -> None:
    one, two = bench.send(b"1"), bench.send(b"2")
    bench.connection.answer(1, b'{"stream":"s","seq":8}')
    bench.connection.answer(0, b'{"stream":"s","seq":7}')
    bench.connection.answer(0, b'{"stream":"s","seq":9}')  # answered already
    assert (await one, await two) == (7, 8)
    assert bench.stream.told == [8, 7]


async def test_a_duplicate_is_not_news_to_the_stream(bench: Bench) -> None:
    one = bench.send(b"1")
    bench.connection.answer(0, b'{"stream":"s","seq":3,"duplicate": true}')
    assert await one == 3
    assert bench.stream.told == []


@pytest.mark.parametrize(("answer", "header", "error", "told"), [
    (b"", b"NATS/1.0 503\r\n\r\n", EngineAway, ["missing"]),
    (b'{"error":{"code":503,"err_code":10077,"description":"x"},"seq":0}', b"", EngineAway, []),
    (b'{"error":{"code":429,"err_code":10167,"description":"too many"},"seq":0}', b"", EngineAway, []),
    (b'{"error":{"code":400,"err_code":10054,"description":"too large"},"seq":0}', b"", EngineUnsuitable, []),
    (b'{"error":{"code":500,"err_code":10028,"description":"memory"},"seq":0}', b"", EngineUnsuitable, []),
])  # fmt: skip
async def test_refusals_say_who_must_act(
    bench: Bench, answer: bytes, header: bytes, error: type[Exception], told: list[str]
) -> None:
    one = bench.send(b"1")
    bench.connection.answer(0, answer, header)
    with pytest.raises(error) as caught:
        await one
    assert not isinstance(caught.value, Unconfirmed)
    assert bench.stream.told == told


async def test_a_publication_whose_key_is_still_under_way_is_unconfirmed(bench: Bench) -> None:
    one = bench.send(b"1")
    bench.connection.answer(0, b'{"error":{"code":409,"err_code":10158,"description":"duplicate in process"},"seq":0}')
    with pytest.raises(Unconfirmed, match="try again"):
        await one
    assert bench.stream.told == []


async def test_what_is_under_way_when_the_connection_is_lost_is_unconfirmed(bench: Bench) -> None:
    one = bench.send(b"1")
    bench.appends.fail_all()
    with pytest.raises(Unconfirmed):
        await one
    bench.connection.up = False
    two = bench.send(b"2")
    assert type(two.error) is EngineAway


async def test_an_answer_that_does_not_come_is_unconfirmed(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(nats_append, "CHECK_S", 0.01)
    monkeypatch.setattr(nats_append, "STORED_S", 0.02)
    overdue = bench.send(b"1")
    with pytest.raises(Unconfirmed):
        await overdue
    monkeypatch.setattr(nats_append, "STORED_S", 60)
    one, two = bench.send(b"2"), bench.send(b"3")
    bench.connection.answer(1, b'{"seq":5}')
    assert await one == 5
    await asyncio.sleep(0.05)
    assert not two.settled.done()
    await bench.appends.close(0)
    with pytest.raises(Unconfirmed):
        await two


async def test_what_is_under_way_is_bounded(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(nats_append, "PENDING_MAX", 2)
    sent = [bench.send(b"%d" % i) for i in range(3)]
    assert type(sent[2].error) is EngineAway
    bench.connection.answer(0, b'{"seq":1}')
    assert not bench.send(b"3").settled.done()
    bench.appends.fail_all()
    for single in sent[1:2]:
        assert type(single.error) is Unconfirmed


async def test_what_is_too_large_or_has_no_wire_is_refused_at_once(bench: Bench) -> None:
    bench.appends.check(b"x" * 50, b"y" * 50)
    with pytest.raises(EngineUnsuitable, match="of 101 bytes; this NATS takes 100"):
        bench.appends.check(b"x" * 50, b"y" * 51)
    bench.connection.up = False
    with pytest.raises(EngineAway):
        bench.appends.check(b"", b"")

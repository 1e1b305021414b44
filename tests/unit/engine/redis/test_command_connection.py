"""Connections for commands and for subscriptions, over a transport that records what is written."""

import asyncio
from typing import Any

import pytest

from ringway.engine.redis.command_connection import (
    SILENT_CHECKS_MAX,
    UNSENT_BYTES_MAX,
    CommandConnection,
    ignore_reply,
    pack,
)
from ringway.engine.redis.pubsub_connection import PubSubConnection
from ringway.errors import EngineAway, EngineUnsuitable, Unconfirmed


class Paper:
    """A transport that records what is written."""

    def __init__(self) -> None:
        self.writes: list[bytes] = []
        self.untaken = 0
        self.aborted = False

    def write(self, data: bytes) -> None:
        self.writes.append(data)

    def get_write_buffer_size(self) -> int:
        return self.untaken

    def is_closing(self) -> bool:
        return self.aborted

    def get_extra_info(self, name: str) -> None:
        return None

    def abort(self) -> None:
        self.aborted = True


class Heard:
    """The callbacks of a connection, counted."""

    def __init__(self) -> None:
        self.losses = 0
        self.doubts = 0
        self.messages: list[tuple[bytes, bytes]] = []

    def lost(self) -> None:
        self.losses += 1

    def doubted(self) -> None:
        self.doubts += 1

    def receive(self, name: bytes, data: bytes) -> None:
        self.messages.append((name, data))


def command_connection() -> tuple[CommandConnection, Paper, Heard]:
    heard, paper = Heard(), Paper()
    made = CommandConnection(heard.lost, heard.doubted)
    made.connection_made(paper)  # type: ignore[arg-type]
    return made, paper, heard


def pubsub_connection(*, sharded: bool = False) -> tuple[PubSubConnection, Paper, Heard]:
    heard, paper = Heard(), Paper()
    made = PubSubConnection(heard.lost, heard.doubted, heard.receive, sharded=sharded)
    made.connection_made(paper)  # type: ignore[arg-type]
    return made, paper, heard


def said(*words: bytes | int) -> bytes:
    """Return a list in the bytes of Redis."""
    parts = [b":%d\r\n" % word if isinstance(word, int) else b"$%d\r\n%b\r\n" % (len(word), word) for word in words]
    return b"*%d\r\n" % len(parts) + b"".join(parts)


async def turn() -> None:
    await asyncio.sleep(0)


async def test_commands_of_one_loop_turn_leave_in_one_write_and_are_answered_in_order() -> None:
    made, paper, _ = command_connection()
    first, second = made.execute(pack("GET", "a")), made.execute(pack("GET", "b"))
    assert paper.writes == []
    await turn()
    assert paper.writes == [pack("GET", "a") + pack("GET", "b")]
    made.data_received(b"$1\r\n1")
    assert not first.done()
    made.data_received(b"\r\n$-1\r\n")
    assert (await first, await second) == (b"1", None)


async def test_an_answer_that_nobody_waits_for_does_not_disturb_the_order() -> None:
    made, _, _ = command_connection()
    first, second = made.execute(pack("GET", "a")), made.execute(pack("GET", "b"))
    first.cancel()
    made.data_received(b":1\r\n:2\r\n")
    assert await second == 2


async def test_refusals_fail_and_raise_a_doubt_where_another_server_is_the_one() -> None:
    made, _, heard = command_connection()
    refused, moved = made.execute(pack("GET", "a")), made.execute(pack("GET", "b"))
    made.data_received(b"-NOPERM no\r\n-MOVED 1 a:1\r\n")
    with pytest.raises(EngineUnsuitable, match="NOPERM"):
        await refused
    assert heard.doubts == 1
    with pytest.raises(EngineAway):
        await moved


async def test_what_is_under_way_when_the_connection_is_lost_is_unconfirmed() -> None:
    made, _, heard = command_connection()
    asked = made.execute(pack("GET", "a"))
    made.connection_lost(None)
    made.connection_lost(None)
    with pytest.raises(Unconfirmed):
        await asked
    assert heard.losses == 1
    with pytest.raises(EngineAway, match="retry"):
        made.execute(pack("GET", "a"))


async def test_what_the_server_does_not_take_is_bounded() -> None:
    made, paper, _ = command_connection()
    paper.untaken = UNSENT_BYTES_MAX - 100
    made.send_command(pack("GET", "a"), ignore_reply)
    with pytest.raises(EngineAway, match=str(UNSENT_BYTES_MAX)):
        made.send_command(pack("GET", "x" * 100), ignore_reply)


async def test_a_silent_connection_is_given_up_and_any_byte_keeps_it() -> None:
    made, paper, heard = command_connection()
    for _ in range(SILENT_CHECKS_MAX):
        made.check_liveness(pack("PING"), ignore_reply)
    made.data_received(b"+PONG\r\n")
    for _ in range(SILENT_CHECKS_MAX):
        made.check_liveness(pack("PING"), ignore_reply)
    assert not paper.aborted
    made.check_liveness(pack("PING"), ignore_reply)
    assert paper.aborted
    assert heard.losses == 1


@pytest.mark.parametrize("rubbish", [b"HTTP/1.1 400 Bad Request\r\n", b"+OK\r\n"])
async def test_who_does_not_speak_redis_is_left(rubbish: bytes) -> None:
    made, paper, _ = command_connection()
    made.data_received(rubbish)
    assert paper.aborted


async def test_channels_of_one_loop_turn_are_subscribed_together() -> None:
    made, paper, heard = pubsub_connection()
    waits = [made.subscribe(b"a"), made.subscribe(b"b"), made.subscribe(b"a")]
    await turn()
    assert paper.writes == [pack("SUBSCRIBE", "a", "b")]
    made.data_received(said(b"subscribe", b"a", 1))
    assert not waits[0].done()
    made.data_received(said(b"message", b"a", b"hello") + said(b"subscribe", b"b", 2))
    await asyncio.gather(*waits)
    assert heard.messages == [(b"a", b"hello")]


async def test_sharded_channels_are_subscribed_by_slot_in_one_write() -> None:
    made, paper, heard = pubsub_connection(sharded=True)
    waits = [made.subscribe(name) for name in (b"{a}1", b"{b}1", b"{a}2")]
    await turn()
    assert paper.writes == [pack("SSUBSCRIBE", "{a}1", "{a}2") + pack("SSUBSCRIBE", "{b}1")]
    made.data_received(b"-MOVED 15495 h:1\r\n" + said(b"ssubscribe", b"{b}1", 1))
    await waits[1]
    assert heard.doubts == 1
    for moved in (waits[0], waits[2]):
        with pytest.raises(EngineAway, match="MOVED"):
            await moved
    assert [made.pop_dropped(name) for name in (b"{a}1", b"{a}2", b"{b}1")] == [True, True, False]


async def test_what_is_left_is_left_after_it_was_joined() -> None:
    made, paper, heard = pubsub_connection()
    joined = made.subscribe(b"a")
    made.unsubscribe(b"a")
    settled = made.confirm_requests()
    await turn()
    assert b"".join(paper.writes) == pack("SUBSCRIBE", "a") + pack("UNSUBSCRIBE", "a") + pack("PING")
    made.data_received(said(b"subscribe", b"a", 1) + said(b"unsubscribe", b"a", 0))
    await joined
    assert not settled.done()
    made.data_received(b"+PONG\r\n")
    await settled
    assert heard.doubts == 0


async def test_what_the_cluster_unsubscribes_by_itself_raises_a_doubt_and_is_named_once() -> None:
    made, _, heard = pubsub_connection(sharded=True)
    joined = made.subscribe(b"a")
    await turn()
    made.data_received(said(b"ssubscribe", b"a", 1) + said(b"sunsubscribe", b"a", 0))
    await joined
    assert heard.doubts == 1
    assert (made.pop_dropped(b"a"), made.pop_dropped(b"a"), made.pop_dropped(b"b")) == (True, False, False)


async def test_who_waits_for_a_subscription_hears_of_the_loss() -> None:
    made, _, heard = pubsub_connection()
    sent = made.subscribe(b"a")
    await turn()
    unsent = made.subscribe(b"b")
    made.connection_lost(None)
    await turn()
    outcomes: list[Any] = await asyncio.gather(sent, unsent, return_exceptions=True)
    assert [type(outcome) for outcome in outcomes] == [Unconfirmed, Unconfirmed]
    assert heard.losses == 1
    made.unsubscribe(b"a")


async def test_pongs_of_a_listener_are_told_apart_from_messages() -> None:
    made, _, heard = pubsub_connection()
    joined = made.subscribe(b"a")
    await turn()
    made.check_liveness(pack("PING"), ignore_reply)
    made.data_received(said(b"subscribe", b"a", 1) + said(b"pong", b""))
    await joined
    assert heard.messages == []


async def test_refused_goodbyes_and_joins_are_told_apart() -> None:
    made, _, heard = pubsub_connection(sharded=True)
    joined = made.subscribe(b"a")
    await turn()
    made.data_received(said(b"ssubscribe", b"a", 1))
    made.unsubscribe(b"a")
    other = made.subscribe(b"b")
    await turn()
    made.data_received(b"-MOVED 15495 h:1\r\n" + said(b"ssubscribe", b"b", 1))
    await asyncio.gather(joined, other)
    assert heard.doubts == 1
    assert made.up


async def test_who_confirms_what_nobody_asked_for_is_left() -> None:
    made, paper, _ = pubsub_connection()
    made.data_received(said(b"subscribe", b"a", 1))
    assert paper.aborted

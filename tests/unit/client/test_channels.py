"""The channels of a client against a link that the test plays."""

import asyncio
from collections.abc import Callable, Iterable
from random import Random
from typing import Any

import msgspec
import pytest

from ringway.client.channels import ClientChannels
from ringway.client.config import ClientConfig
from ringway.client.subscription import Joined, Left, Subscription
from ringway.errors import CommandError, ConnectionClosed
from ringway.protocol.command import (
    ClientInfo,
    Note,
    Push,
    RawPublication,
    Reply,
    ReplyError,
    SubscribeRequest,
    SubscribeResult,
    UnsubscribePush,
)
from ringway.types import Channel


class Link:
    """Notes what is sent, and answers when the test says so."""

    def __init__(self) -> None:
        self.is_open = True
        self.is_cut = False
        self.sent: list[str] = []
        self.requests: list[SubscribeRequest] = []
        self.answers: dict[str, asyncio.Future[Reply]] = {}

    def call_all(self, requests: Iterable[dict[str, Any]]) -> list[asyncio.Future[Reply]]:
        futures = []
        for request in requests:
            if "unsubscribe" in request:
                self.sent.append(f"unsubscribe {request['unsubscribe'].channel}")
                futures.append(asyncio.get_running_loop().create_future())
                continue
            channel = request["subscribe"].channel
            self.sent.append(f"subscribe {channel}")
            self.requests.append(request["subscribe"])
            self.answers[channel] = asyncio.get_running_loop().create_future()
            futures.append(self.answers[channel])
        return futures

    def cut(self) -> None:
        self.is_cut = True

    async def accept(self, channel: str, **result: Any) -> None:
        self.answer(channel, **result)
        await asyncio.sleep(0)

    def answer(self, channel: str, *, missed: tuple[int, ...] = (), **result: Any) -> None:
        """Answer a subscribe; publications are as the offsets in `missed`. It is taken in the next loop turn."""
        raw = [msgspec.Raw(msgspec.json.encode({"offset": offset, "data": offset})) for offset in missed]
        self.answers[channel].set_result(Reply(id=1, subscribe=SubscribeResult(publications=raw, **result)))

    async def refuse(self, channel: str, code: int, *, temporary: bool = False) -> None:
        self.answers[channel].set_result(Reply(id=1, error=ReplyError(code, "no", temporary=temporary)))
        await asyncio.sleep(0)


class World:
    def __init__(self) -> None:
        self.config = ClientConfig(backoff_base_s=0.000_001, backoff_cap_s=0.000_001)
        self.missed: list[Channel] = []
        self.channels = ClientChannels(self.config, Random(1), self.missed.append)
        self.link = Link()

    def subscribe(self, name: str, on_presence: Callable[[Joined | Left], None] | None = None) -> Subscription:
        subscription = Subscription(Channel(name), 8, 5.0, self.channels.remove, None, on_presence)
        self.channels.add(subscription)
        return subscription

    def attach(self) -> Link:
        self.link = Link()
        self.channels.attach(self.link)  # type: ignore[arg-type]
        return self.link

    def push(self, channel: str, data: object, offset: int = 0) -> None:
        raw = msgspec.Raw(msgspec.json.encode(data))
        self.channels.pushed(Push(channel=channel, pub=RawPublication(raw, ClientInfo("", "c9"), offset)))


async def until(condition: Any) -> None:
    async with asyncio.timeout(30):
        while not condition():
            await asyncio.sleep(0)


async def test_two_subscriptions_share_one_on_the_wire() -> None:
    world = World()
    link = world.attach()
    first, second = world.subscribe("room"), world.subscribe("room")
    await link.accept("room")
    third = world.subscribe("room")
    assert [one.confirmed for one in (first, second, third)] == [True, True, True]
    world.push("room", 7)
    for one in (first, second, third):
        publication = await one.receive()
        assert (publication.data, publication.client) == (7, "c9")
    first.close()
    second.close()
    assert link.sent == ["subscribe room"]
    third.close()
    assert link.sent == ["subscribe room", "unsubscribe room"]


async def test_a_new_connection_subscribes_anew_to_all_that_is_wanted() -> None:
    world = World()
    kept, left = world.subscribe("kept"), world.subscribe("left")
    link = world.attach()
    assert link.sent == ["subscribe kept", "subscribe left"]
    await link.accept("kept")
    left.close()
    world.channels.detach()
    assert not kept.confirmed
    link = world.attach()
    assert link.sent == ["subscribe kept"]
    await link.accept("kept")
    assert kept.confirmed


async def test_a_refusal_for_good_ends_all_subscriptions_of_the_channel() -> None:
    world = World()
    link = world.attach()
    first, second, other = world.subscribe("room"), world.subscribe("room"), world.subscribe("other")
    await link.refuse("room", 106)
    for one in (first, second):
        with pytest.raises(CommandError, match="106"):
            await one.receive()
    await link.accept("other")
    assert other.confirmed


@pytest.mark.parametrize(("code", "temporary"), [(100, True), (111, True), (42, False)])
async def test_a_refusal_for_a_time_is_repeated(code: int, temporary: bool) -> None:
    world = World()
    link = world.attach()
    subscription = world.subscribe("room")
    await link.refuse("room", code, temporary=temporary)
    await until(lambda: link.sent.count("subscribe room") == 2)
    await link.accept("room")
    assert subscription.confirmed


async def test_an_unsubscribe_push_subscribes_anew_from_2500_and_ends_below() -> None:
    world = World()
    link = world.attach()
    subscription = world.subscribe("room")
    await link.accept("room")
    world.channels.pushed(Push(channel="room", unsubscribe=UnsubscribePush(2500, "try again")))
    assert not subscription.confirmed
    await until(lambda: link.sent.count("subscribe room") == 2)
    await link.accept("room")
    assert subscription.confirmed
    world.channels.pushed(Push(channel="room", unsubscribe=UnsubscribePush(2000, "thrown out")))
    with pytest.raises(CommandError, match="2000: thrown out"):
        await subscription.receive()
    assert world.subscribe("room") is not subscription
    assert link.sent.count("subscribe room") == 3


@pytest.mark.parametrize("refused", [False, True])
async def test_the_answer_to_an_old_subscribe_says_nothing_about_a_new_one(refused: bool) -> None:
    world = World()
    link = world.attach()
    old = world.subscribe("room")
    answer = link.answers["room"]
    old.close()
    new = world.subscribe("room")
    assert link.sent == ["subscribe room", "unsubscribe room", "subscribe room"]
    answer.set_result(Reply(id=1, error=ReplyError(106)) if refused else Reply(id=1, subscribe=SubscribeResult()))
    await asyncio.sleep(0)
    assert not new.confirmed
    await link.accept("room")
    world.push("room", "for the new one")
    assert (await new.receive()).data == "for the new one"


async def test_the_end_of_a_connection_is_no_refusal() -> None:
    world = World()
    link = world.attach()
    subscription = world.subscribe("room")
    link.answers["room"].set_exception(ConnectionClosed(1006))
    await asyncio.sleep(0)
    world.channels.detach()
    await world.attach().accept("room")
    assert subscription.confirmed


async def test_an_answer_that_does_not_come_ends_the_connection() -> None:
    world = World()
    world.config = ClientConfig(command_timeout_s=0.000_001)
    world.channels = ClientChannels(world.config, Random(1), world.missed.append)
    link = world.attach()
    world.subscribe("room")
    await until(lambda: link.is_cut)


async def test_what_nobody_wants_any_more_is_dropped() -> None:
    world = World()
    world.attach()
    world.push("never subscribed", 1)
    world.channels.pushed(Push(channel="never subscribed", unsubscribe=UnsubscribePush(2500)))


async def test_subscriptions_may_leave_while_a_publication_is_delivered() -> None:
    world = World()
    link = world.attach()
    second = world.subscribe("room")
    await link.accept("room")
    leaver = Subscription(Channel("room"), 8, 5.0, world.channels.remove, lambda _: second.close())
    world.channels.add(leaver)
    world.push("room", 1)
    world.push("room", 2)
    assert (await second.receive()).data == 1
    with pytest.raises(ConnectionClosed):
        await second.receive()


HISTORY: dict[str, Any] = {"recoverable": True, "positioned": True, "epoch": "e"}


def waiting(subscription: Subscription) -> list[tuple[Any, bool]]:
    """Data of what waits for the reader, and whether something may be missing before it."""
    found: list[tuple[Any, bool]] = []
    while True:
        step = subscription.receive()
        try:
            step.send(None)
        except StopIteration as received:
            found.append((received.value.data, received.value.after_gap))
        else:  # it would wait
            step.close()
            return found


async def test_a_new_connection_goes_on_where_the_last_one_ended() -> None:
    world = World()
    link = world.attach()
    room = world.subscribe("room")
    assert not link.requests[0].recover
    await link.accept("room", offset=5, **HISTORY)
    assert room.recoverable
    world.push("room", 6, 6)
    world.push("room", 9, 9)
    world.channels.detach()
    link = world.attach()
    [request] = link.requests
    assert (request.recover, request.epoch, request.offset) == (True, "e", 9)
    await link.accept("room", offset=9, recovered=True, was_recovering=True, missed=(11, 12), **HISTORY)
    world.push("room", 12, 12)  # a duplicate
    world.push("room", 13, 13)
    assert waiting(room) == [(offset, False) for offset in (6, 9, 11, 12, 13)]
    assert (room.gaps, world.missed) == (0, [])
    world.channels.detach()
    assert world.attach().requests[0].offset == 13


async def test_what_comes_behind_the_answer_waits_until_what_was_missed_is_delivered() -> None:
    world = World()
    link = world.attach()
    room = world.subscribe("room")
    await link.accept("room", offset=5, **HISTORY)
    world.channels.detach()
    link = world.attach()
    link.answer("room", offset=5, recovered=True, was_recovering=True, missed=(6, 7), **HISTORY)
    world.push("room", 8, 8)  # in the same frame as the answer
    await asyncio.sleep(0)
    assert waiting(room) == [(6, False), (7, False), (8, False)]


async def test_nothing_missed_moves_the_position_on() -> None:
    world = World()
    link = world.attach()
    world.subscribe("room")
    await link.accept("room", offset=5, **HISTORY)
    world.channels.detach()
    link = world.attach()
    await link.accept("room", offset=9, recovered=True, was_recovering=True, **HISTORY)
    world.channels.detach()
    assert world.attach().requests[0].offset == 9


async def test_a_recovery_that_failed_is_told_to_every_subscription() -> None:
    world = World()
    link = world.attach()
    rooms = world.subscribe("room"), world.subscribe("room")
    await link.accept("room", offset=5, **HISTORY)
    world.channels.detach()
    link = world.attach()
    await link.accept("room", offset=2, was_recovering=True, **HISTORY | {"epoch": "f"})
    world.push("room", 3, 3)
    world.push("room", 4, 4)
    for room in rooms:
        assert room.gaps == 1
        assert waiting(room) == [(3, True), (4, False)]
    assert world.missed == ["room"]
    world.channels.detach()
    [request] = world.attach().requests
    assert (request.epoch, request.offset) == ("f", 4)


async def test_a_channel_without_history_is_subscribed_anew_and_keeps_everything() -> None:
    world = World()
    link = world.attach()
    room = world.subscribe("room")
    await link.accept("room")
    assert not room.recoverable
    world.push("room", 1)
    world.push("room", 1)
    assert waiting(room) == [(1, False)] * 2
    world.channels.detach()
    assert not world.attach().requests[0].recover


async def test_a_channel_that_is_recovered_no_more_is_not_asked_for() -> None:
    world = World()
    link = world.attach()
    world.subscribe("room")
    await link.accept("room", offset=5, **HISTORY)
    world.channels.detach()
    link = world.attach()
    await link.accept("room", was_recovering=True)
    assert world.missed == ["room"]
    world.channels.detach()
    assert not world.attach().requests[0].recover


async def test_an_answer_that_cannot_be_read_ends_the_connection() -> None:
    world = World()
    link = world.attach()
    world.subscribe("room")
    result = SubscribeResult(publications=[msgspec.Raw(b"{}")])
    link.answers["room"].set_result(Reply(id=1, subscribe=result))
    await asyncio.sleep(0)
    assert link.is_cut


async def test_who_comes_and_goes_is_told_to_those_who_want_to_know() -> None:
    world = World()
    link = world.attach()
    notes: list[Joined | Left] = []
    world.subscribe("room")
    await link.accept("room", offset=5, **HISTORY)
    assert not link.requests[0].join_leave
    world.subscribe("room", notes.append)
    assert link.sent == ["subscribe room", "unsubscribe room", "subscribe room"]
    assert (link.requests[1].join_leave, link.requests[1].recover, link.requests[1].offset) == (True, True, 5)
    await link.accept("room", offset=5, recovered=True, was_recovering=True, **HISTORY)
    world.channels.pushed(Push(channel="room", join=Note(ClientInfo("u", "c1"))))
    world.channels.pushed(Push(channel="room", leave=Note(ClientInfo("u", "c1"))))
    assert notes == [Joined(Channel("room"), "c1", "u"), Left(Channel("room"), "c1", "u")]
    world.subscribe("room", notes.append)
    assert len(link.sent) == 3


async def test_the_answer_to_earlier_wishes_says_nothing_about_later_ones() -> None:
    world = World()
    link = world.attach()
    first = world.subscribe("room")
    earlier = link.answers["room"]
    world.subscribe("room", lambda note: None)
    earlier.set_result(Reply(id=1, subscribe=SubscribeResult()))
    await asyncio.sleep(0)
    assert not first.confirmed
    await link.accept("room")
    assert first.confirmed

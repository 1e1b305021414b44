"""The channels of a client against a link that the test plays."""

import asyncio
from collections.abc import Iterable
from random import Random
from typing import Any

import msgspec
import pytest

from ringway.client.channels import Channels
from ringway.client.config import ClientConfig
from ringway.client.subscription import Subscription
from ringway.errors import CommandError, ConnectionClosed
from ringway.protocol.command import (
    ClientInfo,
    Publication,
    Push,
    Reply,
    ReplyError,
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
        self.answers: dict[str, asyncio.Future[Reply]] = {}

    def call_all(self, requests: Iterable[dict[str, Any]]) -> list[asyncio.Future[Reply]]:
        futures = []
        for request in requests:
            channel = request["subscribe"].channel
            self.sent.append(f"subscribe {channel}")
            self.answers[channel] = asyncio.get_running_loop().create_future()
            futures.append(self.answers[channel])
        return futures

    def tell(self, **request: Any) -> None:
        self.sent.append(f"unsubscribe {request['unsubscribe'].channel}")

    def cut(self) -> None:
        self.is_cut = True

    async def accept(self, channel: str) -> None:
        self.answers[channel].set_result(Reply(id=1, subscribe=SubscribeResult()))
        await asyncio.sleep(0)

    async def refuse(self, channel: str, code: int, *, temporary: bool = False) -> None:
        self.answers[channel].set_result(Reply(id=1, error=ReplyError(code, "no", temporary=temporary)))
        await asyncio.sleep(0)


class World:
    def __init__(self) -> None:
        self.config = ClientConfig(backoff_base_s=0.000_001, backoff_cap_s=0.000_001)
        self.channels = Channels(self.config, Random(1))
        self.link = Link()

    def subscribe(self, name: str) -> Subscription:
        subscription = Subscription(Channel(name), 8, 5.0, self.channels.remove, None)
        self.channels.add(subscription)
        return subscription

    def attach(self) -> Link:
        self.link = Link()
        self.channels.attach(self.link)  # type: ignore[arg-type]
        return self.link

    def push(self, channel: str, data: object) -> None:
        raw = msgspec.Raw(msgspec.json.encode(data))
        self.channels.pushed(Push(channel=channel, pub=Publication(raw, ClientInfo("", "c9"))))


async def until(condition: Any) -> None:
    async with asyncio.timeout(5):
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
    world.channels = Channels(world.config, Random(1))
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
    world.attach()
    second = world.subscribe("room")
    leaver = Subscription(Channel("room"), 8, 5.0, world.channels.remove, lambda _: second.close())
    world.channels.add(leaver)
    world.push("room", 1)
    world.push("room", 2)
    assert (await second.receive()).data == 1
    with pytest.raises(ConnectionClosed):
        await second.receive()

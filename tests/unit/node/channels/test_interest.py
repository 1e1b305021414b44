"""Interest without an engine: a broker that does what the test says, and time that the test moves."""

import asyncio

import pytest

from ringway.errors import EngineAway
from ringway.node.channels.interest import Interest
from ringway.ports import Deliver
from ringway.types import Channel

A, B = Channel("a"), Channel("b")


class Broker:
    def __init__(self) -> None:
        self.log: list[str] = []
        self.gate = asyncio.Event()
        self.gate.set()
        self.away = False

    def attach(self, deliver: Deliver) -> None:
        pass

    async def publish(self, channel: Channel, payload: bytes) -> None:
        pass

    async def subscribe(self, channel: Channel) -> None:
        self.log.append(f"+{channel}")
        await self.gate.wait()
        if self.away:
            raise EngineAway("away")

    async def unsubscribe(self, channel: Channel) -> None:
        self.log.append(f"-{channel}")
        await self.gate.wait()


class Follower:
    """Learns at once where channels stand, unless it is told to refuse; `needed` channels are kept."""

    def __init__(self) -> None:
        self.log: list[str] = []
        self.needed: set[Channel] = set()
        self.refuses = False

    def follow(self, channel: Channel) -> None:
        self.log.append(f"follow {channel}")

    async def learn_position(self, channel: Channel) -> None:
        self.log.append(f"learn {channel}")
        if self.refuses:
            raise EngineAway("away")

    def is_needed(self, channel: Channel) -> bool:
        return channel in self.needed

    def unfollow(self, channel: Channel) -> None:
        self.log.append(f"unfollow {channel}")


class Time:
    def __init__(self) -> None:
        self.now = 100.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def broker() -> Broker:
    return Broker()


@pytest.fixture
def time() -> Time:
    return Time()


@pytest.fixture
def follower() -> Follower:
    return Follower()


@pytest.fixture
def interest(broker: Broker, follower: Follower, time: Time) -> Interest:
    return Interest(broker, follower, 3.0, time)


async def settle() -> None:
    for _ in range(5):
        await asyncio.sleep(0)


async def test_many_who_wait_share_one_request(interest: Interest, broker: Broker) -> None:
    broker.gate.clear()
    waiting = [asyncio.create_task(interest.obtain(A)) for _ in range(10)]
    await settle()
    assert not interest.holds(A)
    broker.gate.set()
    await asyncio.gather(*waiting)
    assert broker.log == ["+a"]
    assert interest.claim(A)
    await interest.obtain(A)
    assert broker.log == ["+a"]


async def test_a_refusal_reaches_all_who_wait_and_the_next_tries_anew(interest: Interest, broker: Broker) -> None:
    broker.away = True
    results = await asyncio.gather(interest.obtain(A), interest.obtain(A), return_exceptions=True)
    assert [type(result) for result in results] == [EngineAway, EngineAway]
    assert not interest.claim(A)
    broker.away = False
    await interest.obtain(A)
    assert broker.log == ["+a", "+a"]


async def test_interest_ends_after_its_linger(interest: Interest, broker: Broker, time: Time) -> None:
    await interest.obtain(A)
    interest.release(A)
    time.now += 2.9
    interest.sweep()
    assert interest.holds(A)
    time.now += 0.2
    interest.sweep()
    await settle()
    assert broker.log == ["+a", "-a"]
    assert not interest.claim(A)


async def test_a_subscriber_that_comes_in_time_keeps_it(interest: Interest, broker: Broker, time: Time) -> None:
    await interest.obtain(A)
    interest.release(A)
    time.now += 2.9
    assert interest.claim(A)
    time.now += 100
    interest.sweep()
    await settle()
    assert broker.log == ["+a"]


async def test_the_linger_counts_from_the_last_release(interest: Interest, time: Time) -> None:
    for channel in (A, B):
        await interest.obtain(channel)
        interest.release(channel)
    time.now += 2
    interest.release(A)
    time.now += 2
    interest.sweep()
    assert interest.holds(A)
    assert not interest.holds(B)
    await settle()


async def test_who_comes_while_it_ends_waits_for_the_end(interest: Interest, broker: Broker, time: Time) -> None:
    await interest.obtain(A)
    interest.release(A)
    time.now += 4
    broker.gate.clear()
    interest.sweep()
    await settle()
    waiting = asyncio.create_task(interest.obtain(A))
    await settle()
    assert broker.log == ["+a", "-a"]
    broker.gate.set()
    await waiting
    assert broker.log == ["+a", "-a", "+a"]
    assert interest.holds(A)


async def test_what_comes_for_nobody_goes_again(interest: Interest, broker: Broker, time: Time) -> None:
    broker.gate.clear()
    waiting = asyncio.create_task(interest.obtain(A))
    await settle()
    waiting.cancel()
    await settle()
    broker.gate.set()
    await settle()
    assert interest.holds(A)
    time.now += 4
    interest.sweep()
    await settle()
    assert broker.log == ["+a", "-a"]
    assert len(interest) == 0


async def test_a_channel_is_followed_from_before_it_comes_until_it_goes(
    interest: Interest, follower: Follower, time: Time
) -> None:
    await interest.obtain(A)
    assert follower.log == ["follow a", "learn a"]
    interest.release(A)
    time.now += 4
    interest.sweep()
    assert follower.log == ["follow a", "learn a", "unfollow a"]
    await settle()


async def test_a_channel_of_which_is_not_known_where_it_stands_is_not_held(
    interest: Interest, follower: Follower, broker: Broker
) -> None:
    follower.refuses = True
    with pytest.raises(EngineAway):
        await interest.obtain(A)
    assert not interest.holds(A)
    assert broker.log == ["+a", "-a"]
    assert follower.log[-1] == "unfollow a"


async def test_what_somebody_needs_stays(interest: Interest, follower: Follower, broker: Broker, time: Time) -> None:
    await interest.obtain(A)
    interest.release(A)
    follower.needed.add(A)
    time.now += 4
    interest.sweep()
    assert interest.holds(A)
    follower.needed.clear()
    interest.sweep()
    assert interest.holds(A)  # whoever needed it says when he is done
    interest.release(A)
    time.now += 4
    interest.sweep()
    await settle()
    assert broker.log == ["+a", "-a"]


async def test_closing_ends_what_is_under_way(interest: Interest, broker: Broker) -> None:
    broker.gate.clear()
    waiting = asyncio.create_task(interest.obtain(A))
    await settle()
    await interest.aclose()
    assert (await asyncio.gather(waiting, return_exceptions=True))[0] is not None

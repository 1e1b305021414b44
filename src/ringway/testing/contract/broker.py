"""Contract of a broker; part of `contract.engine`."""
# ruff: noqa: D102 - the names of the tests are sentences

import asyncio

from ringway.testing.contract.world import Inbox, World, members, until
from ringway.types import Channel

HOSTILE_NAMES = (
    ".", "..", "*", ">", "a.b", "a.*", "a.>", "a b", " ", "  ", "%", "%2E", "%252E", "a%2Eb", "a,b", "$SYS", "_INBOX",
    "ümlaut", "u\u0308mlaut", "日本", "\U0001f600", "\u2028", "\u00a0", "'\"\\", "{}", "a:b", "A:B", "x" * 255,
    "." * 255, "\U0001f600" * 63,
)  # fmt: skip
"""Legal channel names with a special meaning in the address space of some engine."""


class BrokerContract:
    """Publications reach the subscribers of their channel, and no other members."""

    async def test_a_publication_reaches_every_subscriber_its_publisher_too(self, world: World) -> None:
        async with members(world, 3) as (a, b, c):
            inboxes = [Inbox(engine) for engine in (a, b, c)]
            for engine in (a, b, c):
                await engine.broker.subscribe(Channel("news"))
            await a.broker.publish(Channel("news"), b"1")
            for inbox in inboxes:
                assert await inbox.count(1) == [("news", b"1")]

    async def test_payloads_are_bytes_that_nobody_looks_into(self, world: World) -> None:
        payloads = [b"", b"\r\n", b"PING\r\n", bytes(range(256)), b"\0" * 1000, b"x" * world.payload_bytes_max]
        async with members(world, 2) as (a, b):
            inbox = Inbox(b)
            await b.broker.subscribe(Channel("raw"))
            for payload in payloads:
                await a.broker.publish(Channel("raw"), payload)
            got = [payload for _, payload in await inbox.count(len(payloads))]
            assert [len(payload) for payload in got] == [len(payload) for payload in payloads]
            assert got == payloads

    async def test_order_is_kept_for_each_publisher_and_channel(self, world: World) -> None:
        async with members(world, 3) as (a, b, c):
            inbox = Inbox(c)
            channels = [Channel("one"), Channel("two")]
            for channel in channels:
                await c.broker.subscribe(channel)
            sent = {
                (channel, who): [b"%s %d" % (who, i) for i in range(300)]
                for channel in channels
                for who in (b"a", b"b")
            }
            async with asyncio.TaskGroup() as group:
                for i in range(300):
                    for channel in channels:
                        group.create_task(a.broker.publish(channel, b"a %d" % i))
                        group.create_task(b.broker.publish(channel, b"b %d" % i))
            got = await inbox.count(1200)
            for (channel, who), payloads in sent.items():
                assert [p for c, p in got if c == channel and p.startswith(who)] == payloads

    async def test_a_subscription_holds_when_subscribe_returns(self, world: World) -> None:
        async with members(world, 2) as (a, b):
            inbox = Inbox(b)
            for i in range(100):
                await b.broker.subscribe(Channel(f"c{i}"))
                await a.broker.publish(Channel(f"c{i}"), b"")
            assert len(await inbox.count(100)) == 100

    async def test_nothing_arrives_from_channels_without_interest(self, world: World) -> None:
        async with members(world, 2) as (a, b):
            inbox = Inbox(b)
            await b.broker.subscribe(Channel("mine"))
            await a.broker.publish(Channel("other"), b"no")
            await a.broker.publish(Channel("mine"), b"yes")
            assert await inbox.count(1) == [("mine", b"yes")]

    async def test_subscribing_twice_delivers_once_and_is_undone_once(self, world: World) -> None:
        async with members(world, 1) as (a,):
            inbox = Inbox(a)
            await asyncio.gather(*(a.broker.subscribe(Channel("c")) for _ in range(3)))
            await a.broker.subscribe(Channel("end"))
            await a.broker.publish(Channel("c"), b"1")
            await a.broker.unsubscribe(Channel("c"))
            await a.broker.unsubscribe(Channel("c"))
            await a.broker.unsubscribe(Channel("never subscribed"))
            await a.broker.publish(Channel("c"), b"2")
            await a.broker.publish(Channel("end"), b"3")
            await until(lambda: ("end", b"3") in inbox.got)
            assert inbox.got.count((Channel("c"), b"1")) <= 1
            assert (Channel("c"), b"2") not in inbox.got
            await a.broker.subscribe(Channel("c"))
            await a.broker.publish(Channel("c"), b"4")
            await until(lambda: ("c", b"4") in inbox.got)
            assert inbox.got.count((Channel("c"), b"4")) == 1

    async def test_every_legal_name_is_a_channel_of_its_own(self, world: World) -> None:
        async with members(world, 2) as (a, b):
            inbox = Inbox(b)
            for name in HOSTILE_NAMES:
                await b.broker.subscribe(Channel(name))
            for name in HOSTILE_NAMES:
                await a.broker.publish(Channel(name), name.encode())
            got = await inbox.count(len(HOSTILE_NAMES))
            assert sorted(got) == sorted((name, name.encode()) for name in HOSTILE_NAMES)

    async def test_ten_thousand_subscriptions_hold_and_end(self, world: World) -> None:
        channels = [Channel(f"room:{i}") for i in range(10_000)]
        async with members(world, 2) as (a, b):
            inbox = Inbox(b)
            await asyncio.gather(*(b.broker.subscribe(channel) for channel in channels))
            await asyncio.gather(*(a.broker.publish(channel, channel.encode()) for channel in channels))
            assert sorted(await inbox.count(10_000)) == sorted((c, c.encode()) for c in channels)
            inbox.got.clear()
            await asyncio.gather(*(b.broker.unsubscribe(channel) for channel in channels[1:]))
            await asyncio.gather(*(a.broker.publish(channel, b"") for channel in reversed(channels)))
            await inbox.count(1)
            assert inbox.got == [(channels[0], b"")]

import asyncio
from collections.abc import Callable
from typing import Any

import msgspec
import pytest

from ringway.client.subscription import Publication, Subscription
from ringway.errors import CommandError, ConnectionClosed
from ringway.types import Channel

ROOM = Channel("room")


def publication(data: object) -> Publication:
    return Publication(ROOM, msgspec.Raw(msgspec.json.encode(data)))


class Owner:
    """Stands in for the client: notes which subscriptions were left."""

    def __init__(self) -> None:
        self.left: list[Subscription] = []

    def subscribe(self, queue_max: int = 8, call: Callable[[Publication], None] | None = None) -> Subscription:
        return Subscription(ROOM, queue_max, 5.0, self.left.append, call)


async def read(subscription: Subscription) -> list[Any]:
    return [publication.data async for publication in subscription]


async def test_what_waits_is_read_in_order_and_then_the_end_comes() -> None:
    subscription = Owner().subscribe()
    for number in range(3):
        subscription.deliver(publication(number))
    subscription.end(None)
    assert await read(subscription) == [0, 1, 2]
    with pytest.raises(ConnectionClosed):
        await subscription.receive()


async def test_beyond_its_bound_the_oldest_goes_and_is_counted() -> None:
    subscription = Owner().subscribe(queue_max=3)
    for number in range(10):
        subscription.deliver(publication(number))
    subscription.end(None)
    found = [(item.data, item.after_gap) async for item in subscription]
    assert found == [(7, True), (8, False), (9, False)]
    assert subscription.dropped == 7


async def test_an_error_ends_the_loop_after_what_came_before() -> None:
    subscription = Owner().subscribe()
    subscription.deliver(publication("last"))
    subscription.end(CommandError(103, "permission denied"))
    reading = aiter(subscription)
    assert (await anext(reading)).data == "last"
    with pytest.raises(CommandError, match="103"):
        await anext(reading)


async def test_leaving_a_bare_loop_leaves_the_channel() -> None:
    owner = Owner()
    subscription = owner.subscribe()
    subscription.deliver(publication(1))
    async for _ in subscription:
        break
    await asyncio.sleep(0)
    await asyncio.sleep(0)
    assert owner.left == [subscription]


async def test_within_a_block_loops_may_be_left_and_begun_again() -> None:
    owner = Owner()
    subscription = owner.subscribe()
    subscription.confirm(True)
    async with subscription as room:
        for number in (1, 2):
            room.deliver(publication(number))
            async for item in room:
                assert item.data == number
                break
            await asyncio.sleep(0)
        assert owner.left == []
    assert owner.left == [subscription]


async def test_a_block_is_entered_when_the_server_has_confirmed() -> None:
    owner = Owner()
    subscription = owner.subscribe()
    entering = asyncio.ensure_future(subscription.__aenter__())
    await asyncio.sleep(0)
    assert not entering.done()
    subscription.confirm(True)
    assert await entering is subscription


async def test_a_block_is_not_entered_when_the_server_refuses() -> None:
    owner = Owner()
    subscription = owner.subscribe()
    subscription.end(CommandError(106, "limit exceeded"))
    with pytest.raises(CommandError):
        async with subscription:
            pytest.fail("entered")


async def test_a_wait_that_is_cancelled_loses_nothing() -> None:
    subscription = Owner().subscribe()
    waiting = asyncio.ensure_future(subscription.receive())
    await asyncio.sleep(0)
    subscription.deliver(publication("kept"))
    waiting.cancel()
    with pytest.raises(asyncio.CancelledError):
        await waiting
    assert (await subscription.receive()).data == "kept"


async def test_readers_share_what_comes() -> None:
    subscription = Owner().subscribe()
    readers = [asyncio.ensure_future(subscription.receive()) for _ in range(3)]
    await asyncio.sleep(0)
    for number in range(3):
        subscription.deliver(publication(number))
    assert sorted([item.data for item in await asyncio.gather(*readers)]) == [0, 1, 2]


async def test_a_callback_takes_publications_and_its_errors_stay_its_own() -> None:
    complaints: list[dict[str, Any]] = []
    asyncio.get_running_loop().set_exception_handler(lambda _, context: complaints.append(context))
    seen: list[int] = []

    def take(item: Publication) -> None:
        seen.append(item.data)
        if item.data == 1:
            raise ValueError("the program's own")

    subscription = Owner().subscribe(call=take)
    for number in range(3):
        subscription.deliver(publication(number))
    assert seen == [0, 1, 2]
    assert [str(context["exception"]) for context in complaints] == ["the program's own"]


def test_data_is_any_json() -> None:
    for data in (None, True, 1.5, "ü", [1, {"a": []}], {"k": None}):
        item = publication(data)
        assert item.data == data
        assert msgspec.json.decode(item.raw) == data


async def test_a_gap_is_told_with_the_next_publication_also_to_callbacks() -> None:
    seen: list[tuple[int, bool]] = []
    subscription = Owner().subscribe(call=lambda item: seen.append((item.data, item.after_gap)))
    subscription.deliver(publication(1))
    subscription.miss()
    subscription.deliver(publication(2))
    subscription.deliver(publication(3))
    assert seen == [(1, False), (2, True), (3, False)]
    assert subscription.gaps == 1

"""Outcomes of a batch."""

import asyncio

from ringway.engine.outcomes import BatchOutcomes
from ringway.errors import EngineAway, Unconfirmed


async def test_all_are_returned_in_their_places_when_the_last_has_come() -> None:
    outcomes: BatchOutcomes[int] = BatchOutcomes(3)
    waiting = asyncio.ensure_future(outcomes.wait_until(60))
    error = EngineAway("away")
    outcomes.settle(2, 30)
    outcomes.settle(0, error)
    await asyncio.sleep(0)
    assert not waiting.done()
    outcomes.settle(1, 20)
    assert await waiting == [error, 20, 30]
    assert await outcomes.wait() == [error, 20, 30]


async def test_what_has_not_come_at_the_deadline_is_unconfirmed_and_comes_for_nobody() -> None:
    outcomes: BatchOutcomes[int] = BatchOutcomes(2)
    outcomes.settle(1, 20)
    late, found = await outcomes.wait_until(0.01)
    assert isinstance(late, Unconfirmed)
    assert found == 20
    assert outcomes.settled.done()
    outcomes.settle(0, 10)


async def test_none_is_awaited_for_an_empty_batch() -> None:
    outcomes: BatchOutcomes[int] = BatchOutcomes(0)
    assert await outcomes.wait_until(0) == []

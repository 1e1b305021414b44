"""Members that are cut from the engine, so that nothing leaves them, or nothing reaches them, or neither."""

import asyncio
import time
from collections.abc import Iterator
from contextlib import AsyncExitStack, ExitStack

import pytest

from integration.engine.conftest import LONG_S, chosen
from integration.engine.far import far_member
from integration.engine.record import Record
from integration.engine.trial import Hands, settings_of, trial
from support.fleet import make_fleet
from support.netns import DIRECTIONS, Namespace, namespace, why_not

CALM_S = 0.5

pytestmark = [pytest.mark.skipif(bool(why_not()), reason=why_not()), pytest.mark.timeout(300)]


@pytest.fixture
def places() -> Iterator[list[Namespace]]:
    """A namespace for each direction in which packets are dropped."""
    with ExitStack() as stack:
        yield [stack.enter_context(namespace()) for _ in DIRECTIONS]


@pytest.fixture
def near_hands(
    request: pytest.FixtureRequest, places: list[Namespace], tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Hands]:
    """A fleet that listens where all of them reach it."""
    hands = Hands(make_fleet(request.param, tmp_path_factory.mktemp(request.param), places[0].near))
    try:
        hands.do_now(hands.fleet.start)
        yield hands
    finally:
        hands.close()


@pytest.mark.parametrize(
    "near_hands", chosen("nats", long=("nats3", "redis", "sentinel", "redis-cluster")), indirect=True
)
@pytest.mark.parametrize("seconds", [5.0, 15.0] if LONG_S else [4.0])
async def test_a_member_that_was_cut_off_loses_nothing_silently_and_is_back_soon(
    near_hands: Hands, places: list[Namespace], seconds: float
) -> None:
    near, *far = settings_of(near_hands.fleet.url, 1 + len(places))
    async with AsyncExitStack() as stack:
        pairs = zip(places, far, strict=True)
        members = [await stack.enter_async_context(far_member(place, each)) for place, each in pairs]
        running = await stack.enter_async_context(trial([near], members))
        await asyncio.sleep(CALM_S)
        began = time.monotonic()
        with ExitStack() as cuts:
            for place, direction in zip(places, DIRECTIONS, strict=True):
                cuts.enter_context(place.cut(direction, near_hands.fleet.ports))
            await asyncio.sleep(seconds)
            _check_cut(await running.records(), began + CALM_S)
        await running.await_members(time.monotonic())
        await asyncio.sleep(CALM_S)
        await running.finish(all_kept=True, exclusive=True)


def _check_cut(records: list[Record], since: float) -> None:
    """Check that the cut members received no report, and that no report of them was received."""
    near, out, into, both = records
    heard = {each.member for each in near.heard if each.announced > since}
    assert near.name in heard
    assert not {out.name, both.name} & heard
    assert not any(each.announced > since for each in (*into.heard, *both.heard))

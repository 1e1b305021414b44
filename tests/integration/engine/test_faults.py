"""Engine servers are killed under three members that publish, follow, contend and report: nothing is lost silently."""

import asyncio
import time

import pytest

from integration.engine.conftest import LONG_S, chosen
from integration.engine.trial import Hands, Trial, settings_of, trial

KILLS = 2
EVERY_S = 5.0
CALM_S = 1.0
AWAY_S = 1.0

pytestmark = pytest.mark.timeout(600)


async def _kill_leader(hands: Hands, running: Trial) -> None:
    """Kill the leader, leave it dead for a moment, and start it again: then all must be as before."""
    which = await hands.do(hands.fleet.kill_leader)
    await asyncio.sleep(AWAY_S)
    back_at = time.monotonic()
    await hands.do(lambda: hands.fleet.restart(which))
    await running.await_members(max(back_at, time.monotonic() - 1.0))


@pytest.mark.parametrize("hands", chosen("nats3", long=("nats",)), indirect=True)
async def test_leaders_are_killed_and_nothing_is_lost_silently(hands: Hands) -> None:
    async with trial(settings_of(hands.fleet.url)) as running:
        began = time.monotonic()
        kills = 0
        while kills < KILLS or time.monotonic() - began < LONG_S:
            await asyncio.sleep(CALM_S if not LONG_S else max(CALM_S, kills * EVERY_S - (time.monotonic() - began)))
            await _kill_leader(hands, running)
            kills += 1
        kept = hands.fleet.outlives_leader
        await running.finish(all_kept=kept, exclusive=kept)


@pytest.mark.parametrize("hands", chosen("nats3", long=("nats",)), indirect=True)
@pytest.mark.parametrize("lose", [False, True], ids=["with data", "without data"])
async def test_all_servers_are_killed_and_come_back(hands: Hands, lose: bool) -> None:
    async with trial(settings_of(hands.fleet.url)) as running:
        await asyncio.sleep(CALM_S)
        await hands.do(hands.fleet.kill_all)
        if lose:
            await hands.do(hands.fleet.lose_data)
        await hands.do(hands.fleet.start_all)
        await running.await_members(time.monotonic())
        await asyncio.sleep(CALM_S)
        kept = hands.fleet.outlives_all and not lose
        await running.finish(all_kept=kept, exclusive=kept)

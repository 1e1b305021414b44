"""Engine servers are killed under three members that publish, follow, contend and report: nothing is lost silently.

One of them has missed what came last before each fault, so that it depends on history.
"""

import asyncio
import time

import pytest

from integration.engine.conftest import LONG_S, chosen
from integration.engine.member import RETENTION
from integration.engine.trial import Hands, Trial, settings_of, trial
from ringway.app.engine import EngineConfig, open_engine
from ringway.testing.contract.world import until
from ringway.types import Channel

LATER = ("nats", "redis-memory", "sentinel-memory", "redis-cluster-memory", "redis-cluster-replicas")
"""Fleets for which there is time in long runs alone."""

EVERY_S = 5.0
CALM_S = 0.6
AWAY_S = 0.6

pytestmark = pytest.mark.timeout(600)


async def _kill_leader(hands: Hands, running: Trial, *, at_once: bool) -> None:
    """Kill the leader, and start it again: after a while, when another has taken over where one can, or at once."""
    async with running.one_deaf():
        which = await hands.do(hands.fleet.kill_leader)
    if not at_once:
        await asyncio.sleep(AWAY_S)
        await hands.do(hands.fleet.await_served)
    back_at = time.monotonic()
    await hands.do(lambda: hands.fleet.restart(which))
    await running.await_members(max(back_at, time.monotonic() - 1.0))


@pytest.mark.parametrize(
    ("hands", "kills"),
    chosen(
        ("nats3", 1),  # it takes some ten seconds to have leaders again
        ("sentinel", 2),
        ("redis-cluster", 2),
        long=[(name, 2) for name in ("redis", *LATER)],
    ),
    indirect=["hands"],
)
@pytest.mark.parametrize("at_once", chosen(False, long=(True,)), ids=lambda at_once: "at once" if at_once else "later")
async def test_leaders_are_killed_and_nothing_is_lost_silently(hands: Hands, kills: int, at_once: bool) -> None:
    async with trial(settings_of(hands.fleet.url)) as running:
        began = time.monotonic()
        killed = 0
        while killed < kills or time.monotonic() - began < LONG_S:
            await asyncio.sleep(CALM_S if not LONG_S else max(CALM_S, killed * EVERY_S - (time.monotonic() - began)))
            await _kill_leader(hands, running, at_once=at_once)
            killed += 1
        kept = hands.fleet.outlives_leader
        await running.finish(all_kept=kept, exclusive=kept)


@pytest.mark.parametrize("hands", chosen("redis", long=("nats3", "sentinel", "redis-cluster", *LATER)), indirect=True)
@pytest.mark.parametrize("lose", [False, True], ids=["with data", "without data"])
async def test_all_servers_are_killed_and_come_back(hands: Hands, lose: bool) -> None:
    async with trial(settings_of(hands.fleet.url)) as running:
        await asyncio.sleep(CALM_S)
        async with running.one_deaf():
            await hands.do(hands.fleet.kill_all)
        if lose:
            await hands.do(hands.fleet.lose_data)
        await hands.do(hands.fleet.start)
        await running.await_members(time.monotonic())
        await asyncio.sleep(CALM_S)
        kept = hands.fleet.outlives_all and not lose
        await running.finish(all_kept=kept, exclusive=kept)


@pytest.mark.parametrize("hands", ["redis-cluster"], indirect=True)
async def test_a_server_that_is_back_before_the_others_delivers_nothing_before_its_absence_is_told(
    hands: Hands,
) -> None:
    """Were its data lost, the first publication would look as if nothing had been before it."""
    config = EngineConfig(url=hands.fleet.url, cluster="order")
    channels = [Channel(f"room:{number}") for number in range(20)]
    async with open_engine(config, "speaker") as speaker, open_engine(config, "listener") as listener:
        seen: list[str] = []
        listener.broker.attach(lambda *_: seen.append("delivered"))
        listener.on_return.append(lambda: seen.append("told"))
        for channel in channels:
            await listener.broker.subscribe(channel)
        await hands.do(hands.fleet.kill_all)
        await until(lambda: not listener.up and not speaker.up)
        first, second, _ = hands.fleet.servers
        await hands.do(lambda: [hands.fleet.restart(which) for which in (first, second)])
        while "delivered" not in seen:
            some = [speaker.history.append(channel, b"", RETENTION) for channel in channels]
            await asyncio.gather(*some, return_exceptions=True)
            await asyncio.sleep(0.05)
        assert not listener.up
        assert seen[0] == "told"
        await hands.do(hands.fleet.start)
        await until(lambda: listener.up)

"""Crowds in classes against crowds one by one: the same world, and as likely."""

from itertools import product
from math import sqrt
from statistics import mean, variance
from typing import Any

import msgspec
import numpy as np
import pytest

from ringway.errors import ConfigError
from ringway.sim.classes import ClassedCrowd
from ringway.sim.summary import Summary
from simulation.cluster import run

SINGLE, CLASSED = 10**9, 0

SAME_DICE: list[dict[str, Any]] = [
    {"scenario": "scale-out"},
    {"scenario": "scale-out", "add": 3, "weights": [1, 2, 3], "handshakes_per_s": 40},
    {"scenario": "scale-out", "report_delay_s": 2, "report_loss": 0.05},
    {"scenario": "scale-in", "remove": 2},
    {"scenario": "heterogeneous", "zones": ["a", "b"]},
    {"scenario": "rolling-restart", "connections": 5000},
]
"""Worlds in which who is drawn for a move changes nothing: all are obedient, and nobody comes or goes."""

OTHER_DICE: list[dict[str, Any]] = [
    {"scenario": "crash"},
    {"scenario": "flash-crowd"},
    {"scenario": "scale-out", "plain": 0.3, "slow": 0.2, "wayward": 0.1, "jitterless": 0.1},
    {"scenario": "scale-out", "mean_life_s": 300, "cool_down_s": 20, "seconds": 80},
    {"scenario": "scale-in", "remove": 2, "mean_life_s": 300, "plain": 0.5, "seconds": 80},
]

SEEDS = 6
FIELDS = ("clients", "moves", "collateral", "in_vain", "away_s", "away_peak", "overshoot", "max_over_avg_after")


def numbers(result: Summary) -> bytes:
    return msgspec.json.encode(msgspec.structs.replace(result, took_s=0.0))


@pytest.mark.parametrize("settings", SAME_DICE, ids=lambda settings: settings["scenario"])
def test_where_it_does_not_matter_who_is_drawn_both_run_alike_second_by_second(settings: dict[str, Any]) -> None:
    single, classed = (run(classes_from=kept, **settings) for kept in (SINGLE, CLASSED))
    assert numbers(single) == numbers(classed)
    assert single.moves > 0


@pytest.mark.parametrize("settings", OTHER_DICE, ids=lambda settings: settings["scenario"])
def test_where_chance_matters_both_agree_on_average(settings: dict[str, Any]) -> None:
    """The means of two times six runs differ by less than four standard errors, and half a percent."""
    runs: dict[int, list[Summary]] = {SINGLE: [], CLASSED: []}
    for kept, seed in product(runs, range(SEEDS)):
        runs[kept].append(run(classes_from=kept, seed=seed, connections=4000, nodes=6, **settings))
    for field in FIELDS:
        single, classed = ([float(getattr(result, field)) for result in runs[kept]] for kept in (SINGLE, CLASSED))
        errors = 4 * sqrt((variance(single) + variance(classed)) / SEEDS)
        assert mean(classed) == pytest.approx(mean(single), rel=0.005, abs=errors), field


def test_a_hundred_million_connections_need_no_memory_of_their_own() -> None:
    """Ten seconds in which a hundred nodes of a thousand begin to fill: rows are kept of those on their way alone."""
    crowd = ClassedCrowd({}, np.random.default_rng(1))
    crowd.connect_counts(np.full(1000, 100_000))
    for second in range(10):
        ids = np.concatenate([crowd.draw(donor, 28, 100_000, second - 1800.0) for donor in range(900)])
        crowd.moved_at[ids] = second
        crowd.settle(ids, 1000)
    assert len(crowd) < 60_000
    assert crowd.cooling(1001, -1.0)[1000] == 10 * 900 * 28


def test_where_keys_have_owners_each_client_is_kept_and_too_many_are_refused() -> None:
    assert run("rendezvous", classes_from=0, connections=1000, seconds=12).moves == 0
    with pytest.raises(ConfigError, match="30,000,000 clients with rendezvous: at most 20,000,000"):
        run("rendezvous", connections=30_000_000)
    with pytest.raises(ConfigError, match="30,000,000 clients with shed"):
        run("!shed", connections=30_000_000)

"""Everything follows from the scenario and its seed."""

import msgspec
import pytest

from ringway.sim.summary import Summary
from simulation.cluster import run


def numbers(result: Summary) -> bytes:
    return msgspec.json.encode(msgspec.structs.replace(result, took_s=0.0))


@pytest.mark.parametrize("who", ["two-choices", "rendezvous", "!shed"])
def test_the_same_seed_gives_the_same_run(who: str) -> None:
    settings = {"scenario": "scale-out", "connections": 3000, "mean_life_s": 300, "plain": 0.3, "report_loss": 0.05}
    first = run(who, seed=7, seconds=60, **settings)
    assert numbers(first) == numbers(run(who, seed=7, seconds=60, **settings))
    assert numbers(first) != numbers(run(who, seed=8, seconds=60, **settings))

"""Every scenario of `bench/chaos`, scaled down: the same code that `scripts/bench chaos` runs at full size."""

import pytest

from chaos.scenario import Outcome, load_scenario, names


def run(name: str) -> Outcome:
    scenario = load_scenario(name)
    return scenario.run(scenario.SMALL)


NOT_YET = {"scale_out", "rolling_restart", "drain", "handover_cost", "nats_away"}


@pytest.mark.parametrize("name", sorted(set(names()) - NOT_YET))
def test_nothing_speaks_against_the_servers(name: str) -> None:
    outcome = run(name)
    assert outcome.against() == [], f"{outcome.faults}\n{outcome.report}"

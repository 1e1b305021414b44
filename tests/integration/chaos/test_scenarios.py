"""Every scenario of `tests/chaos`, scaled down: the same code that `scripts/bench chaos` runs at full size."""

from collections.abc import Iterator

import pytest

from chaos.scenario import HASTY, load_scenario, names
from chaos.workload import HISTORY
from support.netns import why_not
from support.system import System, running_system

pytestmark = pytest.mark.timeout(300)

ROOT = "engine_partitioned"
APART = {"kill_moving", "scale_out", "nats_away_memory", "slow_consumer", "handover_cost", "engine_leader_killed", ROOT}
"""Scenarios that need a system with other settings, or change it for good."""


@pytest.fixture(scope="module")
def system() -> Iterator[System]:
    """Three nodes in haste, for all scenarios that leave a system as it was."""
    with running_system(nodes=3, environ=HISTORY | HASTY) as running:
        yield running


NOT_HERE = {"storm_unshaped", "engine_restarted", "engine_emptied"}
"""For comparison of times alone; and what `nats_away` does to one server, and `integration.engine` to three."""


@pytest.mark.parametrize("name", sorted(set(names()) - APART - NOT_HERE))
def test_on_a_system_that_was_through_the_others(name: str, system: System) -> None:
    scenario = load_scenario(name)
    outcome = scenario.run(scenario.SMALL, system)
    assert outcome.wrongs() == [], f"{outcome.faults}\n{outcome.report}"


@pytest.mark.parametrize("name", sorted(APART))
def test_on_a_system_of_its_own(name: str) -> None:
    if name == ROOT and why_not():
        pytest.skip(why_not())
    scenario = load_scenario(name)
    outcome = scenario.run(scenario.SMALL)
    assert outcome.wrongs() == [], f"{outcome.faults}\n{outcome.report}"

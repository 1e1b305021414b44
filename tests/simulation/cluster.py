"""Runs for the tests: small clusters, the whole product core, virtual time. The seed is in the scenario."""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from ringway.sim.contender import make_contenders
from ringway.sim.run import simulate
from ringway.sim.scenario import make_scenario
from ringway.sim.summary import Summary


def run(who: str = "two-choices", **settings: Any) -> Summary:
    """Run a policy, or a baseline given as "!name", through the scenario of `settings`."""
    scenario = make_scenario({"connections": 20_000, **settings})
    policies, baselines = ([], [who[1:]]) if who.startswith("!") else ([who], [])
    (contender,) = make_contenders(policies, baselines, [], scenario.balance)
    return simulate(scenario, contender)


def column(rows: list[list[int]], node: int) -> NDArray[np.int64]:
    """The values of one node in each second."""
    return np.array([row[node] for row in rows])

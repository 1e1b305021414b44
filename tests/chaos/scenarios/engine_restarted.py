"""All servers of the engine are killed at once and come back after 1 to 10 s, with all their data."""

import time

from chaos.engine import Aftermath, fleet_of
from chaos.scenario import HASTY, Outcome, Size, stage
from chaos.workload import KEPT
from support.system import System

FULL = Size(engine="nats3", prefixes=(KEPT,), clients=1000, rate=200, channels=50, faults=10, seconds=10.0, processes=2)
SMALL = Size(engine="nats3", prefixes=(KEPT,), clients=60, rate=200, faults=1, seconds=1.0, environ=HASTY)


def run(
    size: Size, system: System | None = None, name: str = "engine_restarted", *, without_data: bool = False
) -> Outcome:
    """Kill all, start them again after up to `seconds`, and judge."""
    with stage(size, system) as on:
        fleet = fleet_of(on)
        after = Aftermath.begin(on, size)
        for _ in range(size.faults):
            on.faults.note("kill the engine")
            fleet.kill_all()
            if without_data:
                fleet.lose_data()
            time.sleep(on.faults.rng.uniform(1.0, size.seconds))
            fleet.start()
            after.over()
        return after.outcome(name, size, kept=fleet.outlives_all and not without_data)

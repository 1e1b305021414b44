"""The engine's leading server is killed and comes back, repeatedly: no silent losses, and no moves.

`--engine` names the engine. If it promises that confirmed publications outlive that server, nothing is lost at all.
"""

import time

from chaos.engine import Aftermath, fleet_of
from chaos.scenario import HASTY, Outcome, Size, stage
from chaos.workload import KEPT
from support.system import System

FULL = Size(engine="nats3", prefixes=(KEPT,), clients=1000, rate=200, channels=50, faults=10, seconds=5.0, processes=2)
SMALL = Size(engine="nats3", prefixes=(KEPT,), clients=60, rate=200, faults=1, seconds=1.0, environ=HASTY)


def run(size: Size, system: System | None = None) -> Outcome:
    """Kill the leading server, start it again after `seconds` or when a new server leads, and judge."""
    with stage(size, system) as on:
        fleet = fleet_of(on)
        after = Aftermath.begin(on, size)
        for _ in range(size.faults):
            which = fleet.kill_leader()
            on.faults.note(f"kill {which}")
            time.sleep(size.seconds)
            fleet.await_served()
            on.faults.note("others have taken over, where any can")
            fleet.restart(which)
            after.over()
        return after.outcome("engine_leader_killed", size, kept=fleet.outlives_leader)

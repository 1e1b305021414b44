"""The engine, with its history in files, is killed and comes back after 1 to 10 s: no acknowledged publication is lost.

One node is suspended when it comes back, and learns of it a second later than the other nodes, which publish by then.
For channels without history this is not promised: messages on their way through the engine die with it.
"""

import time

from chaos.scenario import HASTY, Outcome, Size, stage
from chaos.workload import KEPT
from support.system import System

FULL = Size(prefixes=(KEPT,), clients=1000, rate=200, channels=50, faults=10, seconds=10.0, processes=2)
SMALL = Size(prefixes=(KEPT,), clients=60, rate=200, faults=1, seconds=2.0, environ=HASTY)
CALM_S = 2.0
LATE_S = 1.0


def run(size: Size, system: System | None = None, name: str = "nats_away") -> Outcome:
    """Stop the engine for up to `seconds`, start it again, and judge."""
    with stage(size, system) as on:
        for _ in range(size.faults):
            time.sleep(CALM_S)
            late = on.faults.some_node()
            with on.faults.paused(late):
                on.faults.engine_away(on.faults.rng.uniform(1.0, size.seconds))
                on.load.wait(on.system.is_ready, "the gateway to have the engine again")
                time.sleep(LATE_S)
            time.sleep(CALM_S)
            on.load.wait(on.load.all_subscribed, "everybody to be there")
        return on.outcome(name, size)

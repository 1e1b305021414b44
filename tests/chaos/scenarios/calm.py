"""The control: a system without faults. Problems here are problems of the harness, or not of recovery."""

import time

from chaos.scenario import ALL, Outcome, Size, stage
from support.system import System

FULL = Size(clients=5000, rate=200, channels=50, seconds=60.0, processes=2)
SMALL = Size(clients=60, rate=400, channels=4, nodes=2, seconds=3.0)


def run(size: Size, system: System | None = None) -> Outcome:
    """Watch for `seconds`, and judge."""
    with stage(size, system) as on:
        time.sleep(size.seconds)
        outcome = on.outcome("calm", size)
    outcome.claim_unnoticed(*ALL, silence_s=0.25)
    outcome.may_announce = ()
    return outcome

"""The node that serves the recoveries of a killed node is killed as well, 0.2 to 0.5 s later.

Messages before and after the second kill must not mix: no message is doubled or comes out of order.
"""

import time

from chaos.scenario import HASTY, Outcome, Size, stage
from support.system import System

FULL = Size(clients=2000, rate=200, channels=50, faults=50, processes=2)
SMALL = Size(clients=90, rate=200, faults=1, environ=HASTY)
CALM_S = 0.5


def run(size: Size, system: System | None = None) -> Outcome:
    """Kill two in a row, wait, and judge."""
    with stage(size, system) as on:
        for _ in range(size.faults):
            time.sleep(CALM_S)
            first = on.faults.some_node()
            before = {name: node["accepted"] for name, node in on.faults.nodes().items()}
            lives = {name: on.faults.incarnation(name) for name in before}
            on.faults.kill(first)
            time.sleep(on.faults.rng.uniform(0.2, 0.5))
            accepted = {name: node["accepted"] - before[name] for name, node in on.faults.nodes().items()}
            second = max((name for name in accepted if name != first), key=lambda name: accepted[name])
            on.faults.kill(second)
            on.load.wait(lambda: not on.load.all_subscribed(), "the kills to be noticed")
            on.load.wait(on.load.all_subscribed, "everybody to be back")
            on.faults.note("all are back")
            for name in (first, second):
                on.faults.wait_reborn(name, lives[name])
        outcome = on.outcome("kill_recovering", size)
    outcome.claim_back(p50_s=5.0, p99_s=10.0)
    return outcome

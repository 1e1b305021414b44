"""A node with clients is killed, repeatedly: no acknowledged publication is lost, and all clients are back soon.

`faults` kills of a random node; the next kill comes when all clients are back and the node is there again.
"""

import time

from chaos.scenario import HASTY, Outcome, Size, stage
from support.system import System

FULL = Size(clients=5000, rate=200, channels=50, faults=20, processes=2)
SMALL = Size(clients=90, rate=200, faults=2, environ=HASTY)
CALM_S = 0.5


def run(size: Size, system: System | None = None) -> Outcome:
    """Kill, wait, and judge."""
    with stage(size, system) as on:
        for _ in range(size.faults):
            time.sleep(CALM_S)
            victim = on.faults.some_node()
            life = on.faults.incarnation(victim)
            on.faults.kill(victim)
            on.load.wait(lambda: not on.load.all_subscribed(), "the kill to be noticed")
            on.load.wait(on.load.all_subscribed, "everybody to be back")
            on.faults.note("all are back")
            on.faults.wait_reborn(victim, life)
        outcome = on.outcome("kill_node", size)
    outcome.claim_back(p50_s=1.0, p99_s=5.0)
    return outcome

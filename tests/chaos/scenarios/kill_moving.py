"""A node is killed while sessions move: their donor, or their target.

At any step of a hand-over, its client comes back as from any crash: nothing is doubled or out of order, and with
history nothing is lost.
"""

import time

from chaos.order import Orders
from chaos.scenario import HASTY, Outcome, Size, stage
from support.system import System

FULL = Size(clients=1000, rate=400, channels=40, faults=20, processes=2)
SMALL = Size(clients=60, rate=200, faults=2, environ=HASTY)
CALM_S = 0.5
WITHIN_S = 1.0
"""The time over which the moves are spread; the kill comes at a random moment of it."""


def run(size: Size, system: System | None = None) -> Outcome:
    """Order all clients off a node, kill it or the target, and judge."""
    with stage(size, system) as on, Orders(on.system) as orders:
        for _ in range(size.faults):
            time.sleep(CALM_S)
            donor = on.faults.some_node()
            nodes = on.faults.nodes()
            target = on.faults.rng.choice(sorted(set(nodes) - {donor}))
            victim = on.faults.rng.choice([donor, target])
            life = on.faults.incarnation(victim)
            on.faults.note(f"move {nodes[donor]['connections']} from {donor} to {target}")
            orders.move(donor, target, nodes[donor]["connections"], WITHIN_S)
            time.sleep(on.faults.rng.uniform(0.0, WITHIN_S))
            on.faults.kill(victim)
            on.faults.wait_reborn(victim, life)
            on.load.wait(on.load.all_subscribed, "everybody to be back")
            on.faults.note("all are back")
        outcome = on.outcome("kill_moving", size)
    outcome.claim_back(p50_s=1.0, p99_s=5.0)
    return outcome

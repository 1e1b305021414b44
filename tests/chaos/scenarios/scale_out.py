"""A node joins two that are full; a third of the clients is moved to it, and their applications do not notice."""

import time

from chaos.scenario import FOLLOWING, HASTY, UNINTERRUPTED, Outcome, Size, stage
from report import Claim
from support.system import System

FULL = Size(publishers=UNINTERRUPTED, clients=5000, rate=200, channels=50, nodes=2, processes=2, seconds=120.0)
SMALL = Size(publishers=UNINTERRUPTED, clients=60, rate=200, nodes=2, seconds=40.0, environ=HASTY)
EVEN = 0.1
"""The distance from the fair share at which a node is balanced; the plan itself ends within 3 %."""

QUIET_S = 2.0


def run(size: Size, system: System | None = None) -> Outcome:
    """Start a further node, wait for balance, and judge."""
    with stage(size, system) as on:
        time.sleep(1.0)
        before = set(on.faults.nodes())
        on.faults.note("start a node")
        on.system.start("node")
        fair = size.clients / (len(before) + 1)
        began = time.monotonic()

        def balanced() -> bool:
            counts = [node["connections"] for node in on.faults.nodes().values()]
            return len(counts) > len(before) and min(counts) >= (1 - EVEN) * fair

        on.load.wait(balanced, "the new node to get its share", size.seconds)
        took_s = time.monotonic() - began
        time.sleep(QUIET_S)
        moved = sum(sum(node["moved"].values()) for node in on.faults.nodes().values())
        outcome = on.outcome("scale_out", size, balanced_s=took_s, moves=moved)
    outcome.claims.append(Claim("moves", moved, at_least=(1 - EVEN) * fair))
    outcome.claim_unnoticed(*FOLLOWING, silence_s=0.25)
    return outcome

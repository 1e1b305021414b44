"""A node is suspended for longer than its lease and goes on: a stale owner. Never two nodes deliver for one session.

It closes its clients when it goes on (PROTOCOL.md P-7.14). Some notice before: it pings every two seconds.
"""

import time

from chaos.scenario import HASTY, Outcome, Size, stage
from report import Claim
from support.system import System

PINGS = {"RINGWAY_NODE_PING_INTERVAL_S": "2", "RINGWAY_NODE_PONG_TIMEOUT_S": "1"}
FULL = Size(clients=1000, rate=200, channels=50, faults=20, seconds=15.0, processes=2, environ=PINGS)
SMALL = Size(clients=60, rate=200, faults=1, seconds=4.0, environ=HASTY)
CALM_S = 1.0


def run(size: Size, system: System | None = None) -> Outcome:
    """Pause a node past its lease, let it go on, and judge."""
    with stage(size, system) as on:
        held = 0
        for _ in range(size.faults):
            time.sleep(CALM_S)
            victim = on.faults.some_node()
            held += max(0, on.faults.nodes()[victim]["connections"] - len(size.publishers))
            with on.faults.paused(victim):
                time.sleep(size.seconds)
            on.load.wait(on.load.all_subscribed, "everybody to be back")
            on.load.wait(lambda name=victim: name in on.faults.nodes(), f"{victim} to be heard again")
        outcome = on.outcome("pause_node", size, held=held)
    told = sum(sum(verdict.closes.values()) for verdict in outcome.report.verdicts.values())
    outcome.claims.append(Claim("clients that were closed ÷ those of stopped nodes", told / max(held, 1), at_least=1))
    return outcome

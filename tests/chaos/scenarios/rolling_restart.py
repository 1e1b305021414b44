"""The first `nodes` nodes are restarted in turn, `faults` times: each moves its clients first.

With `seconds` SIGTERM drains the node, over the whole time of its deadline; without, it is drained before.
"""

import time

from chaos.scenario import FOLLOWING, HASTY, UNINTERRUPTED, Outcome, Size, stage
from report import Claim
from support.system import System

DRAIN = {"RINGWAY_NODE_DRAIN_WITHIN_S": "30"}
FULL = Size(
    seconds=30, publishers=UNINTERRUPTED, clients=3000, rate=200, channels=50, faults=5, processes=2, environ=DRAIN
)
SMALL = Size(nodes=2, seconds=0, publishers=UNINTERRUPTED, clients=60, rate=200, faults=1, environ=HASTY)
CALM_S = 0.5


def run(size: Size, system: System | None = None) -> Outcome:
    """Restart every node in turn, and judge."""
    with stage(size, system) as on:
        began = time.monotonic()
        for _ in range(size.faults):
            for name in sorted(on.faults.nodes())[: size.nodes]:
                time.sleep(CALM_S)
                life = on.faults.incarnation(name)
                if not size.seconds:
                    on.faults.note(f"drain {name}")
                    on.system.ringway("drain", name)
                on.faults.stop(name)
                on.faults.wait_reborn(name, life)
                on.load.wait(on.load.all_subscribed, "everybody to be there")
        outcome = on.outcome("rolling_restart", size, restarts_s=time.monotonic() - began)
    outcome.claim_unnoticed(*FOLLOWING, silence_s=0.25)
    torn = sum(verdict.closes[1006] for verdict in outcome.report.verdicts.values())
    outcome.claims.append(Claim("connections torn (1006)", torn, at_most=0))
    return outcome

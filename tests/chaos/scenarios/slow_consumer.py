"""Some clients stop reading: they are cut at their bound with 3008 and recover; other clients are not affected.

A tenth of the clients stop reading for `seconds`. Each is subscribed to all channels, so that its queue grows quickly,
and its misses in one channel remain within the bound of recovery.
"""

import time

from chaos.scenario import Outcome, Size, stage
from chaos.workload import KEPT
from report import Claim, percentile
from support.system import System

BOUND = {"RINGWAY_NODE_OUTBOX_BYTES_MAX": str(256 * 1024)}
KIND = ("sdk",)
FULL = Size(prefixes=(KEPT,), kinds=KIND, clients=100, rate=100, channels=100, seconds=20.0)
SMALL = Size(prefixes=(KEPT,), kinds=KIND, clients=20, rate=200, channels=100, nodes=1, seconds=6.0, environ=BOUND)
FILLING = 4096
SHARE = 0.1


def run(size: Size, system: System | None = None) -> Outcome:
    """Let some clients stop reading for a while, let them go on, and judge."""
    load = size.load(each=size.channels, filling=FILLING, small_buffers=True)
    with stage(size, system, load) as on:
        time.sleep(1.0)
        slow = sum(process.ask("pause", SHARE) for process in on.load.subscribers)
        on.faults.note(f"{slow} clients read no more")
        time.sleep(size.seconds)
        for process in on.load.subscribers:
            process.ask("resume")
        on.faults.note("they read on")
        on.load.wait(on.load.all_subscribed, "everybody to be back")
        time.sleep(1.0)
        outcome = on.outcome("slow_consumer", size, slow=slow)
    verdicts = outcome.report.verdicts.values()
    others = sorted(silence for verdict in verdicts for silence in verdict.silences_s)[: size.clients - slow]
    outcome.measured["longest silence of the others, p99, s"] = percentile(others, 0.99)
    outcome.claims += [
        Claim(
            "slow clients that were cut (3008)", sum(v.closes[3008] + v.closes[1006] for v in verdicts), at_least=slow
        ),
        Claim("clients that were cut", sum(verdict.closed_clients for verdict in verdicts), at_most=slow),
    ]
    outcome.claims.append(
        Claim("came back without recovery", sum(verdict.sums.unrecovered for verdict in verdicts), at_most=0)
    )
    return outcome

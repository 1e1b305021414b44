"""A node is drained by a deadline (`seconds`): empty in time, at an even rate, no target above its budget."""

import json
import time

from chaos.scenario import FOLLOWING, HASTY, UNINTERRUPTED, Outcome, Size, stage
from chaos.watch import Watch
from report import Claim
from support.system import System

FULL = Size(publishers=UNINTERRUPTED, clients=3000, rate=200, channels=50, seconds=30.0, processes=2)
SMALL = Size(publishers=UNINTERRUPTED, clients=60, rate=200, seconds=8.0, environ=HASTY)


def run(size: Size, system: System | None = None) -> Outcome:
    """Drain one node, take it back, and judge."""
    with stage(size, system) as on, Watch(on.system) as watch:
        time.sleep(1.5)
        victim = on.faults.some_node()
        there = on.faults.nodes()[victim]["connections"]
        on.faults.note(f"drain {victim} of {there} within {size.seconds:g} s")
        began = time.monotonic()
        told = json.loads(
            on.system.ringway("drain", victim, "--within", f"{size.seconds:g}s", "--json", deadline_s=size.seconds + 30)
        )
        took_s = time.monotonic() - began
        on.faults.note(f"{victim} is empty")
        on.load.wait(on.load.all_subscribed, "everybody to be there")
        on.system.ringway("undrain", victim)
        outcome = on.outcome("drain", size, connections=there, drained_s=took_s)
    outcome.claims.append(Claim("connections left", told["connections"], at_most=0))
    outcome.paces.append(Claim("seconds to empty ÷ the deadline", took_s / size.seconds, at_most=1.0))
    leaving = [(at, count) for at, count in watch.series(victim, "connections") if at <= began + took_s and count > 0]
    if there >= 200:  # of fewer, whole seconds of reports make no rate
        plan = there / (0.9 * size.seconds)
        (begin, high), (end, low) = next(point for point in leaving if point[1] < 0.95 * there), leaving[-1]
        outcome.paces.append(Claim("rate ÷ plan", (high - low) / (end - begin) / plan, at_most=1.1, at_least=0.9))
    for name in watch.names():
        if name != victim:
            outcome.paces.append(
                Claim(f"accept peak of {name} ÷ its budget", watch.accept_peak(name) / watch.budget(name), at_most=1.1)
            )
    outcome.claim_unnoticed(*FOLLOWING, silence_s=0.25)
    return outcome

"""All clients lose their connection in one instant, and come back one by one, in slots and a window.

`seconds` is the time in which all are to be back. `storm_unshaped` is the same without slots and window.
"""

import time

from chaos.scenario import Outcome, Size, stage
from chaos.watch import Watch
from report import Claim
from support.system import System

FULL = Size(clients=10_000, rate=200, channels=400, kinds=("socket",), processes=2, seconds=30.0)
SMALL = Size(clients=120, rate=100, kinds=("sdk", "follow", "socket"), nodes=2, seconds=25.0)
CALM_S = 2.0


def run(size: Size, system: System | None = None, name: str = "storm") -> Outcome:
    """Drop all clients, wait until they are back, and judge."""
    with stage(size, system) as on:
        time.sleep(CALM_S)
        with Watch(on.system) as watch:
            began = time.monotonic()
            dropped = sum(process.ask("drop", 1.0) for process in on.load.subscribers)
            on.faults.note(f"{dropped} connections cut")
            on.load.wait(
                lambda: all(process.ask("noticed_drop") for process in on.load.subscribers),
                "the clients to notice",
            )
            on.load.wait(on.load.all_subscribed, "everybody to be back", 120.0)
            took_s = time.monotonic() - began
            on.faults.note("all are back")
            time.sleep(CALM_S)
        outcome = on.outcome(name, size)
    outcome.paces += [
        Claim("all back, s", took_s, at_most=size.seconds),
        Claim("loop lag p99 s", watch.lag_p99_s(), at_most=0.25),
    ]
    for node in watch.names():
        ratio = watch.accept_peak(node) / max(watch.budget(node), 1e-9)
        outcome.paces.append(Claim(f"accept peak of {node} ÷ its budget", ratio, at_most=1.1))
    return outcome

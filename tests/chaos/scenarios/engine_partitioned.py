"""A node is cut from the engine, but not from its clients: out, in, both. Nothing is lost, and no client is moved.

The node runs in a network namespace of its own; only packets between it and the engine's servers are dropped. Needs
root. Its clients receive nothing meanwhile, and everything afterwards, from history.
"""

import time

from chaos.engine import Aftermath, fleet_of
from chaos.scenario import HASTY, Outcome, Size, own_system, stage
from chaos.workload import KEPT
from support.netns import DIRECTIONS, Namespace, namespace
from support.system import System, wait_for

FULL = Size(
    engine="nats3", prefixes=(KEPT,), clients=1000, rate=200, channels=50, faults=6, seconds=15.0, nodes=2, processes=2
)
SMALL = Size(engine="nats", prefixes=(KEPT,), clients=60, rate=200, nodes=1, faults=1, seconds=3.5, environ=HASTY)
FAR = "node-far"
RELAYED = ("proxy",)
"""The gateway does not hear the node any more, and moves the clients that it relays: they recover elsewhere."""


def run(size: Size, system: System | None = None) -> Outcome:
    """Cut a node off for `seconds`, `faults` times, each time in the next direction; and judge."""
    if system is not None:
        raise ValueError("this scenario needs a system of its own, whose engine is reached from its namespace")
    with namespace() as place, own_system(size, place.near) as own:
        own.start("node", "--name", FAR, "--host", place.far, within=place.enter())
        wait_for(lambda: FAR in own.nodes(), "the node in the namespace")
        return _run(size, own, place)


def _run(size: Size, system: System, place: Namespace) -> Outcome:
    with stage(size, system) as on:
        ports = fleet_of(on).ports
        after = Aftermath.begin(on, size)
        for number in range(size.faults):
            direction = DIRECTIONS[::-1][number % len(DIRECTIONS)]
            on.faults.note(f"cut {FAR}: {direction}")
            with place.cut(direction, ports):
                time.sleep(size.seconds)
            after.over()
        return after.outcome("engine_partitioned", size, kept=True, closed=RELAYED)

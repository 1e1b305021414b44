"""Scripts of the scenarios: generators that act, and yield the conditions to wait for."""

from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING

from ringway.errors import ConfigError
from ringway.types import NodeName

if TYPE_CHECKING:
    from ringway.sim.node import SimNode
    from ringway.sim.scenario import ScenarioEvent
    from ringway.sim.world import SimWorld

FIRST_S = 10.0
"""The time of the first event: by then all members have heard each other, also by late reports."""

Wait = Callable[[], bool]
Script = Iterator[Wait]


def play(world: "SimWorld") -> Script:
    """Play the scenario of `world`."""
    yield from SCRIPTS[world.scenario.scenario](world)


def _scale_out(world: "SimWorld") -> Script:
    yield _at(world, FIRST_S + world.scenario.report_delay_s)
    count = world.scenario.add
    world.meter.mark(world.now, f"{count} more node{'s' * (count != 1)}")
    largest = max(world.scenario.weights) if world.scenario.scenario == "heterogeneous" else None
    for _ in range(count):
        world.add_node(weight=largest).touched = True


def _scale_in(world: "SimWorld") -> Script:
    yield _at(world, FIRST_S + world.scenario.report_delay_s)
    leaving = world.nodes[-world.scenario.remove :]
    world.meter.mark(
        world.now, f"{', '.join(node.name for node in leaving)} drained" if len(leaving) < 4 else "nodes drained"
    )
    for node in leaving:
        node.touched = True
        world.drain(node)
    for node in leaving:
        yield _empty(world, node)
        if node.alive:
            world.end_node(node, withdraw=True)


def _rolling_restart(world: "SimWorld") -> Script:
    yield _at(world, FIRST_S + world.scenario.report_delay_s)
    world.meter.mark(world.now, "rolling restart")
    restarted = world.nodes[: world.scenario.nodes]
    for index, node in enumerate(restarted):
        node.touched = True
        world.drain(node, avoid=tuple(each.name for each in restarted[index + 1 :]))
        yield _empty(world, node)
        if node.alive:
            world.end_node(node, withdraw=True)
        yield _after(world, world.scenario.restart_s)
        if not node.alive:
            world.add_node(node.name)
        yield _after(world, world.scenario.pause_s + world.scenario.report_delay_s)
    world.meter.mark(world.now, "all restarted")


def _crash(world: "SimWorld") -> Script:
    yield _at(world, FIRST_S + world.scenario.report_delay_s)
    dying = world.nodes[-world.scenario.remove :]
    world.meter.mark(world.now, f"{len(dying)} node{'s' * (len(dying) != 1)} crash")
    for node in dying:
        node.touched = True
        world.deaths += 1
        world.end_node(node, withdraw=False)


def _flash_crowd(world: "SimWorld") -> Script:
    yield _at(world, FIRST_S + world.scenario.report_delay_s)
    world.meter.mark(world.now, f"{world.scenario.clients_more:,} more clients")
    _come(world, world.scenario.clients_more, world.scenario.crowd_over_s)


def _partition(world: "SimWorld") -> Script:
    yield _at(world, FIRST_S + world.scenario.report_delay_s)
    silent = world.nodes[: (len(world.nodes) + 1) // 2]
    world.meter.mark(world.now, f"{len(silent)} nodes not heard")
    for node in silent:
        node.heard = False
    yield _after(world, world.scenario.silent_s)
    world.meter.mark(world.now, "heard again")
    for node in silent:
        node.heard = True
    yield _after(world, 30.0)


def _quiet(world: "SimWorld") -> Script:
    yield _at(world, FIRST_S + world.scenario.report_delay_s)
    world.meter.mark(world.now, "")


def _script(world: "SimWorld") -> Script:
    for event in sorted(world.scenario.event, key=lambda event: event.at_s):
        yield _at(world, event.at_s)
        world.meter.mark(world.now, f"{event.do} {', '.join(event.nodes) or event.clients}")
        if event.do == "crowd":
            _come(world, event.clients, event.over_s)
        for name in event.nodes or ([""] if event.do == "join" else []):
            _happen(world, event, name)


def _happen(world: "SimWorld", event: "ScenarioEvent", name: str) -> None:
    if event.do == "join":
        world.add_node(name).touched = True
        return
    node = world.by_name.get(NodeName(name))
    if node is None or not node.alive:
        known = ", ".join(node.name for node in world.nodes if node.alive)
        raise ConfigError(f"the event {event.do!r} at {event.at_s:g} s names {name!r}, which does not run; {known} do")
    node.touched = True
    if event.do == "drain":
        world.drain(node, event.within_s)
    elif event.do == "undrain":
        world.undrain(node)
    elif event.do == "kill":
        world.deaths += 1
        world.end_node(node, withdraw=False)
    else:
        node.heard = event.do == "hear"


def _come(world: "SimWorld", count: int, over_s: float) -> None:
    """Schedule the arrival of the next `count` clients within `over_s`."""
    ids = world.crowd.newcomers(count)
    world.population += count
    world.coming.put(ids, world.now, world.dice.uniform(0.1, max(over_s, 0.1), count))


def _at(world: "SimWorld", seconds: float) -> Wait:
    return lambda: world.now >= seconds


def _after(world: "SimWorld", seconds: float) -> Wait:
    return _at(world, world.now + seconds)


def _empty(world: "SimWorld", node: "SimNode") -> Wait:
    """Wait until the node is empty, or was ended by a different event."""
    return lambda: not node.alive or (not node.connections and not node.pending)


SCRIPTS: dict[str, Callable[["SimWorld"], Script]] = {
    "scale-out": _scale_out,
    "scale-in": _scale_in,
    "rolling-restart": _rolling_restart,
    "crash": _crash,
    "flash-crowd": _flash_crowd,
    "hot-rooms": _scale_out,
    "heterogeneous": _scale_out,
    "partition": _partition,
    "quiet": _quiet,
    "script": _script,
}

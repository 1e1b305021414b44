"""Runs one contender through a scenario: fills the cluster, plays the script, and measures."""

import time
from collections.abc import Callable
from random import Random

import numpy as np

from ringway.core.load import LoadView
from ringway.core.placement.keyed import Keyed
from ringway.core.placement.spec import parse_spec
from ringway.protocol.report import Report
from ringway.sim.baseline import Baseline
from ringway.sim.calendar import Ids
from ringway.sim.classes import ClassedCrowd
from ringway.sim.contender import Contender
from ringway.sim.leader import ROUND_S, CrowdOwners, Leader
from ringway.sim.scenario import Scenario
from ringway.sim.script import FIRST_S, play
from ringway.sim.summary import Summary, summarize
from ringway.sim.world import STEP_S, SimWorld
from ringway.types import Incarnation, Issuer, NodeState, Role

QUIET_S = 30.0
"""A run without a set time ends after this time without moves and without disconnected clients."""

FILLING_S = 300.0
LONGEST_S = 3600.0

Progress = Callable[[float], None]


def simulate(scenario: Scenario, contender: Contender, progress: Progress = lambda now: None) -> Summary:
    """Run `contender` through `scenario` and return the result; `progress` is called with the virtual time."""
    began = time.perf_counter()
    world = SimWorld(scenario, contender)
    for number in range(scenario.nodes):
        node = world.add_node()
        if scenario.node and scenario.node[number].draining:
            node.touched = True
            world.drain(node)
    for _ in range(scenario.gateways):
        world.add_gateway(contender.make_policy())
    fill(world)
    leader = Leader(world, world.gateways[0]) if contender.directed else Baseline(world, world.gateways[0])
    script = play(world)
    waiting: Callable[[], bool] | None = next(script, None)
    round_due = FIRST_S / 2
    busy_at = 0.0
    while True:
        world.advance()
        while waiting is not None and waiting():
            waiting = next(script, None)
            busy_at = world.now
        if world.now >= round_due:
            round_due += ROUND_S
            moves = world.meter.moved_total
            leader.round()
            if world.closing.waiting or world.meter.moved_total > moves:
                busy_at = world.now
        if world.asking.waiting + world.dialling.waiting + world.coming.waiting and not scenario.mean_life_s:
            busy_at = world.now
        if world.step % round(1 / STEP_S) == 0:
            progress(world.now)
        if scenario.seconds:
            if world.now >= scenario.seconds:
                break
        elif waiting is None and (world.now - busy_at > _quiet_s(world) or world.now > LONGEST_S):
            break
    return summarize(world, minimum=_minimum(world, leader), took_s=time.perf_counter() - began)


def _quiet_s(world: SimWorld) -> float:
    """The time without moves after which a run ends: longer if newcomers still balance the loads."""
    nodes = [node for node in world.nodes if node.alive and node.state is NodeState.ACTIVE]
    fullness = [node.connections / node.weight for node in nodes]
    uneven = bool(fullness) and min(fullness) < 0.9 * sum(fullness) / len(fullness)
    return (QUIET_S if not (uneven and world.scenario.mean_life_s) else FILLING_S) + 3 * world.scenario.report_delay_s


def _minimum(world: SimWorld, leader: "Leader | Baseline") -> int | None:
    """The least number of moves, if it does not follow from fair shares."""
    if world.scenario.scenario in ("crash", "partition", "flash-crowd", "quiet"):
        return 0  # clients that were cut off or are new come by themselves
    if world.scenario.scenario == "rolling-restart":
        return world.scenario.connections
    if world.scenario.rooms and isinstance(leader, Leader) and leader.key_owners is not None:
        return leader.key_owners.changed
    return None


def fill(world: SimWorld) -> None:
    """Connect the first clients: as the scenario says, by their keys, or in fair shares."""
    scenario, crowd, policy = world.scenario, world.crowd, world.gateways[0].policy
    given = [node.connections for node in scenario.node]
    if isinstance(crowd, ClassedCrowd):
        counts = np.array(given) if sum(given) else _fair_counts(world)
        crowd.connect_counts(counts)
        _count(world, counts)
        return
    if sum(given) and not (policy.table and parse_spec(scenario.policy_before).name == policy.name):
        numbers = np.repeat(np.arange(len(given)), given)
        world.dice.shuffle(numbers)
    elif policy.table or world.contender.baseline == "modulo":
        numbers = _placed_by_key(world)
    else:
        numbers = np.repeat(np.arange(len(world.nodes)), _fair_counts(world))
        world.dice.shuffle(numbers)
    crowd.connect(numbers)
    _count(world, np.bincount(numbers, minlength=len(world.nodes)))


def _fair_counts(world: SimWorld) -> Ids:
    """Return the number of first clients of each node by its weight, in whole numbers."""
    bounds = np.cumsum([node.weight for node in world.nodes])
    ends = np.floor(bounds / bounds[-1] * world.scenario.connections + 0.5).astype(np.int64)
    counts: Ids = np.diff(ends, prepend=0)
    return counts


def _count(world: SimWorld, counts: Ids) -> None:
    for node, count in zip(world.nodes, counts.tolist(), strict=True):
        node.connections = count


def _placed_by_key(world: SimWorld) -> Ids:
    """Place all clients one by one by the real policy, as if they had come over a long time: no node is paced.

    A client that was not placed at its key's owner, because caps are small while few are connected, is placed again.
    """
    view = LoadView(Issuer("filling!"), ages=False)
    for node in world.nodes:
        view.reported(
            Report(
                name=node.name, incarnation=Incarnation("00000000"), role=Role.NODE, seq=1, url="",
                weight=node.weight, connections_max=node.connections_max,
            ),
            0.0,
        )  # fmt: skip
    policy, rng = world.contender.make_policy(), Random(world.scenario.seed)
    if isinstance(policy, Keyed):
        policy.complete(view)
    keys = [b"%d" % key for key in world.crowd.keys[: world.scenario.connections].tolist()]

    def place(key: bytes) -> int:
        view.wake(0.0)
        chosen = policy.pick(view, key, rng, 1).nodes[0]
        view.arrived(chosen)
        return world.by_name[chosen.name].number

    numbers = np.array([place(key) for key in keys], np.int64)
    if policy.table:
        owners = CrowdOwners(policy.table, world.crowd.keys)
        owners.update({node.name: node.weight for node in world.nodes}, world.by_name)
        for client in np.flatnonzero(numbers != owners.owners[: len(numbers)]).tolist():
            view.departed(view.nodes[world.nodes[numbers[client]].name])
            numbers[client] = place(keys[client])
    return numbers

"""Laws of a rolling restart: who is still to go gets as few as can be, and clients are moved little more than once."""

import math
from dataclasses import replace

from hypothesis import given
from hypothesis import strategies as st

from ringway.core.balance.config import BalanceConfig
from ringway.core.balance.plan import plan_by_load
from ringway.core.balance.restart import foresee, moves_per_client
from ringway.core.balance.roll import fill
from ringway.core.balance.share import NodeSnapshot, exact_shares
from ringway.types import NodeName
from sample import name

CONFIG = BalanceConfig()


@st.composite
def clusters(draw: st.DrawFn, nodes_max: int = 8) -> list[NodeSnapshot]:
    """Nodes of which the last drains, and some are still to go."""
    count = draw(st.integers(2, nodes_max))
    nodes = []
    for index in range(count):
        load = draw(st.integers(0, 400))
        room = draw(st.one_of(st.just(math.inf), st.integers(0, 300)))
        weight, avoided = float(draw(st.integers(1, 8))), draw(st.booleans())
        nodes.append(
            NodeSnapshot(name(index), weight, load, load, active=index < count - 1, room=room, avoided=avoided)
        )
    return nodes


def shares_of(nodes: list[NodeSnapshot]) -> tuple[dict[NodeName, int], int, dict[NodeName, float]]:
    """The clients that each node gets, the number that leaves, and the fair shares."""
    plan = plan_by_load(nodes, CONFIG)
    total = sum(node.load for node in nodes)
    given_to = {node.name: 0 for node in nodes if node.active}
    for quota in plan.quotas:
        assert quota.donor == nodes[-1].name, "nobody but the draining gives"
        given_to[quota.target] += quota.count
    return given_to, nodes[-1].movable, exact_shares([node for node in nodes if node.active], total)


@given(clusters())
def test_everybody_finds_a_place_where_there_is_room_and_no_room_is_exceeded(nodes: list[NodeSnapshot]) -> None:
    nodes = [replace(nodes[0], avoided=True), *nodes[1:]]
    given_to, leaving, _ = shares_of(nodes)
    rooms = {node.name: node.room for node in nodes}
    assert all(count <= rooms[target] for target, count in given_to.items())
    room = sum(node.room for node in nodes if node.active)
    assert sum(given_to.values()) == min(leaving, room)


@given(clusters())
def test_who_is_still_to_go_gets_none_while_another_is_below_its_cap(nodes: list[NodeSnapshot]) -> None:
    nodes = [replace(nodes[0], avoided=True), *nodes[1:]]
    given_to, _, fair = shares_of(nodes)
    if any(given_to[node.name] for node in nodes if node.active and node.avoided):
        for node in nodes:
            if node.active and not node.avoided:
                after = node.load + given_to[node.name]
                cap = (1 + CONFIG.roll_above) * fair[node.name]
                assert after + 1 > cap or given_to[node.name] + 1 > node.room


@given(clusters())
def test_who_was_restarted_takes_more_than_its_cap_only_where_the_others_are_full(nodes: list[NodeSnapshot]) -> None:
    nodes = [replace(nodes[0], avoided=True), *nodes[1:]]
    given_to, _, fair = shares_of(nodes)
    rested = [node for node in nodes if node.active and not node.avoided and given_to[node.name]]
    if any(node.load + given_to[node.name] > (1 + CONFIG.roll_above) * fair[node.name] for node in rested):
        assert all(given_to[other.name] == other.room for other in nodes if other.active and other.avoided)


@given(clusters())
def test_where_nobody_is_still_to_go_the_plan_is_that_of_any_drain(nodes: list[NodeSnapshot]) -> None:
    plain = [replace(node, avoided=False) for node in nodes]
    marked = [*plain[:-1], replace(plain[-1], avoided=True)]  # the draining one itself says nothing
    assert plan_by_load(marked, CONFIG) == plan_by_load(plain, CONFIG)


@given(clusters(), st.integers(0, 2000))
def test_filling_leaves_nobody_lower_than_one_who_was_filled(nodes: list[NodeSnapshot], count: int) -> None:
    filled = fill(nodes, count)
    rooms = {node.name: math.floor(min(node.room, count)) for node in nodes}
    assert sum(filled.values()) == min(count, sum(rooms.values()))
    for one in nodes:
        if filled.get(one.name):
            level = (one.load + filled[one.name] - 1) / one.weight  # before its last newcomer
            for other in nodes:
                if filled.get(other.name, 0) < rooms[other.name]:
                    assert level <= (other.load + filled.get(other.name, 0) + 1) / other.weight + 1e-6


@given(clusters())
def test_carried_out_in_part_it_goes_on_to_the_same_end(nodes: list[NodeSnapshot]) -> None:
    nodes = [replace(nodes[0], avoided=True), *nodes[1:]]
    plan = plan_by_load(nodes, CONFIG)
    half = {quota.target: quota.count // 2 for quota in plan.quotas}
    gone = sum(half.values())
    after = [
        replace(node, load=node.load + half.get(node.name, 0), room=node.room - half.get(node.name, 0))
        for node in nodes[:-1]
    ]
    donor = replace(nodes[-1], load=nodes[-1].load - gone, movable=nodes[-1].movable - gone)
    later = {quota.target: quota.count for quota in plan_by_load([*after, donor], CONFIG).quotas}
    ends = {quota.target: quota.count - half[quota.target] for quota in plan.quotas}
    for target in ends.keys() | later.keys():
        assert abs(ends.get(target, 0) - later.get(target, 0)) <= 2  # roundings: of the shares, and of the filling


@given(st.integers(2, 12), st.integers(50, 500))
def test_in_a_restart_of_all_only_the_first_ones_clients_are_moved_twice(count: int, each: int) -> None:
    nodes = [NodeSnapshot(name(index), 1.0, each, each, active=True) for index in range(count)]
    steps = foresee(nodes, [node.name for node in nodes], CONFIG)
    assert moves_per_client(steps, nodes) <= 1 + 1 / count + 0.02
    assert not any(step.homeless for step in steps)

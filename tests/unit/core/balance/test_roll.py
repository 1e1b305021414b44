"""Targets of clients in a rolling restart."""

import math
from dataclasses import replace

import pytest

from ringway.core.balance.config import BalanceConfig
from ringway.core.balance.leader_round import LeaderRound
from ringway.core.balance.plan import plan_by_load
from ringway.core.balance.restart import foresee, moves_per_client
from ringway.core.balance.roll import fill
from ringway.core.balance.share import NodeSnapshot
from ringway.core.load import LoadView
from ringway.types import NodeName
from sample import GATEWAY, name, node_report

CONFIG = BalanceConfig()


def cluster(*loads: int, drains: int = -1, avoided: tuple[int, ...] = (), room: float = math.inf) -> list[NodeSnapshot]:
    return [
        NodeSnapshot(name(index), 1.0, load, load, active=index != drains, avoided=index in avoided, room=room)
        for index, load in enumerate(loads)
    ]


def given(nodes: list[NodeSnapshot], config: BalanceConfig = CONFIG) -> dict[NodeName, int]:
    return {quota.target: quota.count for quota in plan_by_load(nodes, config).quotas}


def test_who_was_restarted_is_filled_first() -> None:
    """n0 and n1 are back, one of them empty; n2 goes, n3 and n4 are next."""
    assert given(cluster(1000, 0, 1000, 1000, 1000, drains=2, avoided=(3, 4))) == {name(1): 1000}


def test_it_is_not_filled_without_end() -> None:
    """4,000 on three: 1,333 are fair, 1,666 the most that the restarted one takes."""
    nodes = cluster(1000, 1000, 1000, 1000, drains=1, avoided=(2, 3))
    assert given(nodes) == {name(0): 666, name(2): 167, name(3): 167}
    assert given(nodes, BalanceConfig(roll_above=10.0)) == {name(0): 1000}


def test_its_room_counts() -> None:
    nodes = cluster(0, 1000, 900, 900, drains=1, avoided=(2, 3))
    nodes[0] = replace(nodes[0], room=400)
    assert given(nodes) == {name(0): 400, name(2): 300, name(3): 300}
    full = [replace(node, room=50) if node.avoided else node for node in nodes]
    plan = plan_by_load(full, CONFIG)
    assert plan.moves == 500
    assert plan.reason.endswith("there is no room for 500")


def test_the_last_resort_is_a_node_above_its_share() -> None:
    nodes = cluster(1400, 1000, 600, drains=1, avoided=(2,))
    nodes[2] = replace(nodes[2], room=0)
    assert given(nodes) == {name(0): 1000}


def test_where_all_are_still_to_go_they_share() -> None:
    assert given(cluster(900, 900, 900, 900, drains=0, avoided=(1, 2, 3))) == {name(1): 300, name(2): 300, name(3): 300}


def test_meanwhile_nobody_else_is_moved() -> None:
    plan = plan_by_load(cluster(2000, 0, 100, 400, drains=1, avoided=(2,)), CONFIG)
    assert (plan.quotas, plan.reason) == ((), "a rolling restart is under way: the others stay where they are")
    plan = plan_by_load(cluster(2000, 300, 100, 400, drains=1, avoided=(2,)), CONFIG)
    assert {quota.donor for quota in plan.quotas} == {name(1)}
    assert plan.cause == "drain"


def test_newcomers_fill_the_least_full_for_their_weight() -> None:
    nodes = [NodeSnapshot(name(index), float(index + 1), load, load, True) for index, load in enumerate((10, 0, 60))]
    assert fill(nodes, 30) == {name(0): 3, name(1): 27}
    assert fill(nodes, 0) == {}
    assert sum(fill(nodes, 1).values()) == 1
    assert fill([], 5) == {}
    assert fill([NodeSnapshot(name(0), 0.0, 0, 0, True)], 5) == {}


def test_a_leader_reads_from_the_reports_who_is_next() -> None:
    view = LoadView(GATEWAY)
    view.reported(node_report("n0", connections=100), 0.0)
    view.reported(node_report("n1", connections=300, draining=True, drain_avoid=(name(2),)), 0.0)
    view.reported(node_report("n2", connections=300), 0.0)
    plan = LeaderRound(CONFIG, view).plan(0.0)
    assert {quota.target: quota.count for quota in plan.quotas} == {name(0): 300}
    view.reported(node_report("n1", 2, connections=300, draining=True), 1.0)
    plan = LeaderRound(CONFIG, view).plan(1.0)
    assert {quota.target: quota.count for quota in plan.quotas} == {name(0): 250, name(2): 50}


def test_the_leader_judges_a_step_by_where_it_would_send_them() -> None:
    view = LoadView(GATEWAY)
    for node in ("n0", "n1", "n2"):
        accept = 20.0 if node == "n0" else 1000.0
        load = 0 if node == "n0" else 300
        view.reported(node_report(node, connections=load, accept_per_s=accept), 0.0)
    term = LeaderRound(CONFIG, view)
    aside = term.judge_drain(name(1), 0.0, 0.0, avoid=(name(2),))
    assert aside.moves_per_s == pytest.approx(10.0), "all go to n0, which takes ten a second"
    assert term.judge_drain(name(1), 0.0, 0.0, avoid=(name(0),)).moves_per_s > 10.0


def test_a_restart_of_all_is_foreseen() -> None:
    nodes = cluster(1000, 1000, 1000, 1000)
    steps = foresee(nodes, [node.name for node in nodes], CONFIG)
    assert [step.connections for step in steps] == [1000, 1334, 1333, 1333]
    assert steps[1].targets == {name(0): 1334}
    assert moves_per_client(steps, nodes) == pytest.approx(1.25)
    assert not any(step.homeless for step in steps)


def test_a_restart_without_room_says_so() -> None:
    nodes = cluster(100, 100, room=30)
    steps = foresee(nodes, [name(0), name(1)], CONFIG)
    assert (steps[0].targets, steps[0].homeless) == ({name(1): 30}, 70)

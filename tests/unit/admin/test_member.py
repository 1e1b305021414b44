"""The cluster as an operator sees it: the order of nodes, their shares, and their states."""

import msgspec

from ringway.admin.member import describe
from ringway.protocol.report import Report
from ringway.types import Incarnation, NodeName, NodeState, Role


def node(name: str, connections: int = 0, **changes) -> Report:
    report = Report(
        name=NodeName(name),
        incarnation=Incarnation("0" * 8),
        role=Role.NODE,
        seq=1,
        url=f"ws://{name}",
        connections=connections,
    )
    return msgspec.structs.replace(report, **changes)


def test_nodes_come_in_the_order_a_person_counts():
    cluster = describe([node("node-10"), node("node-2"), node("a"), node("node-1")])
    assert [row.name for row in cluster.nodes] == ["a", "node-1", "node-2", "node-10"]


def test_fair_shares_follow_weights_and_leave_draining_nodes_out():
    cluster = describe([node("a", 60), node("b", 0, weight=2.0), node("c", 30, state=NodeState.DRAINING)])
    assert {row.name: row.fair for row in cluster.nodes} == {"a": 30, "b": 60, "c": 0}
    assert cluster.connections == 90


def test_places_held_by_all_members_are_added_up():
    gateway = node("g", role=Role.GATEWAY, reserved={NodeName("a"): 2}, leading=True)
    cluster = describe([node("a"), node("b", reserved={NodeName("a"): 3}), gateway])
    assert {row.name: row.reserved for row in cluster.nodes} == {"a": 5, "b": 0}
    assert [(row.name, row.leading) for row in cluster.gateways] == [("g", True)]


def test_nobody_is_nobody():
    assert describe([]).nodes == ()
    assert describe([node("a", state=NodeState.DRAINING)]).nodes[0].fair == 0


def test_a_backend_is_down_if_a_gateway_sends_it_no_clients():
    backends = [node(name, is_backend=True) for name in ("a", "b", "c")]
    told = {NodeName("a"): "gets no clients: its check fails", NodeName("b"): "two gateways disagree"}
    cluster = describe(backends, {NodeName("g"): told})
    assert {row.name: row.state for row in cluster.nodes} == {
        "a": NodeState.DOWN, "b": NodeState.ACTIVE, "c": NodeState.ACTIVE,
    }  # fmt: skip
    assert [dict(row.problems) for row in cluster.nodes] == [{"g": told[NodeName("a")]}, {"g": told[NodeName("b")]}, {}]

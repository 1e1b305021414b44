"""Groups: whatever members come, leave, drain and change, no place, plan or order ever crosses from group to group."""

import random

from hypothesis import given, settings
from hypothesis import strategies as st

from ringway.core.balance.config import BalanceConfig
from ringway.core.balance.leader_round import LeaderRound
from ringway.core.group import Groups
from ringway.core.placement.place import choose_place
from ringway.errors import NoNode
from ringway.protocol.group import CHANNELS, DEFAULT
from ringway.protocol.report import Report, group_of
from ringway.types import Incarnation, Issuer, NodeName, NodeState, Role

ME = Issuer("0badcafe")
GROUPS = st.sampled_from(["", "chats", "web", None])  # None: a channel node


@st.composite
def member(draw: st.DrawFn) -> Report:
    """A node of any group, with any load. A backend that changes its group is another incarnation."""
    number, group = draw(st.integers(0, 11)), draw(GROUPS)
    return Report(
        name=NodeName(f"n{number}"),
        incarnation=Incarnation(f"{number:04x}{len(group or 'node'):04x}"),
        role=Role.NODE,
        seq=1,
        url="ws://h",
        is_backend=group is not None,
        group=group or "",
        connections=draw(st.integers(0, 500)),
        state=draw(st.sampled_from([NodeState.ACTIVE, NodeState.ACTIVE, NodeState.DRAINING])),
        weight=draw(st.sampled_from([1.0, 2.0, 5.0])),
    )


EVENTS = st.lists(st.tuples(member(), st.sampled_from(["report", "report", "report", "leave"])), max_size=40)


def played(events: list[tuple[Report, str]]) -> tuple[Groups, dict[str, str]]:
    """Return the groups after `events`, and the group in which each node is by its last report."""
    groups, expected = Groups(ME), {}
    last: dict[str, Report] = {}
    for report, what in events:
        known = last.get(report.name)
        if known is not None and (what == "leave" or known.incarnation != report.incarnation):
            groups.forgotten(last.pop(report.name))  # as membership tells it
            expected.pop(report.name)
        if what == "report":
            groups.reported(report, 0.0)
            last[report.name] = report
            expected[report.name] = group_of(report)
    return groups, expected


@given(EVENTS)
def test_each_node_is_in_one_group_by_its_last_report(events: list[tuple[Report, str]]) -> None:
    groups, expected = played(events)
    assert {name: group.name for group in groups for name in group.view.nodes} == expected
    assert set(groups.nodes) == set(expected)
    for name, group in expected.items():
        found = groups.at(NodeName(name))
        assert found is not None
        assert found.name == group
        assert groups.nodes[NodeName(name)] is found.view.nodes[NodeName(name)]


@given(EVENTS, st.integers())
@settings(deadline=None)
def test_no_plan_and_no_place_leaves_its_group(events: list[tuple[Report, str]], seed: int) -> None:
    groups, expected = played(events)
    rng = random.Random(seed)
    for name in (DEFAULT, CHANNELS, "chats", "web"):
        group = groups[name]
        members = {node for node, its in expected.items() if its == name}
        leader = LeaderRound(BalanceConfig(), group.view)
        for plan in (leader.plan(10.0), leader.plan_exactly(10.0, begin=True), leader.plan(11.0)):
            for quota in [*plan.quotas, *leader.orders(plan, 1.0)]:
                assert {quota.donor, quota.target} <= members
            assert set(plan.fair) <= members
        for _ in range(5):
            try:
                choice = choose_place(group.view, group.steering.policy, None, rng, 12.0, count=3, claims=True)
            except NoNode:
                break
            group.view.place(choice.node, 12.0)
            assert {choice.node.name, *(each.name for each in choice.alternates)} <= members


@given(EVENTS)
def test_the_places_of_a_gateway_count_in_the_group_of_their_node_alone(events: list[tuple[Report, str]]) -> None:
    groups, expected = played(events)
    reserved = {NodeName(f"n{number}"): number for number in range(1, 12)}
    groups.reported(
        Report(
            name=NodeName("g"), incarnation=Incarnation("aaaaaaaa"), role=Role.GATEWAY, seq=1, url="", reserved=reserved
        ),
        0.0,
    )  # fmt: skip
    for name in expected:
        assert groups.nodes[NodeName(name)].others == reserved.get(NodeName(name), 0)
    late = Report(
        name=NodeName("n5"), incarnation=Incarnation("bbbbbbbb"), role=Role.NODE, seq=1, url="", is_backend=True,
        group="new",
    )  # fmt: skip
    known = groups.nodes.get(NodeName("n5"))
    if known is not None and known.report is not None:
        groups.forgotten(known.report)
    groups.reported(late, 0.0)
    assert groups["new"].view.nodes[NodeName("n5")].others == 5  # a group that comes later has heard the gateway

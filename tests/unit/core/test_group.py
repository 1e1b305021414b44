"""Groups: a view and a steering of its own for each, one directive for all, and no trace of groups that are over."""

import pytest

from ringway.core.group import EMPTY_S, Groups, why_none_of
from ringway.core.placement.policy import no_node, why_none
from ringway.core.steering import Steering
from ringway.errors import ConfigError
from ringway.protocol.backend import Backend, problems_of
from ringway.protocol.directive import Directive
from ringway.protocol.group import CHANNELS, DEFAULT
from ringway.protocol.report import Report
from ringway.types import Incarnation, Issuer, NodeName, NodeState, Role

ME = Issuer("0badcafe")


def node(name: str, group: str | None = None, life: int = 1, **fields: object) -> Report:
    """A backend of `group`, or a channel node."""
    return Report(
        name=NodeName(name), incarnation=Incarnation(f"{life:08x}"), role=Role.NODE, seq=1, url="ws://h",
        is_backend=group is not None, group=group or "", **fields,
    )  # fmt: skip


def heard(*reports: Report, groups: Groups | None = None) -> Groups:
    groups = groups or Groups(ME)
    for report in reports:
        groups.reported(report, 0.0)
    return groups


def test_channel_nodes_and_backends_without_a_group_are_groups_as_well() -> None:
    groups = heard(node("n1"), node("b1", ""), node("b2", "default"), node("b3", "chat"))
    assert {group.name: list(group.view.nodes) for group in groups} == {
        CHANNELS: ["n1"], DEFAULT: ["b1", "b2"], "chat": ["b3"],
    }  # fmt: skip
    assert set(groups.nodes) == {"n1", "b1", "b2", "b3"}
    assert [each.name for each in groups.eligible] == ["b1", "b2", "b3", "n1"]


def test_the_group_of_channel_nodes_is_no_backends() -> None:
    [problem] = problems_of(Backend(name=NodeName("a"), url="ws://h:1", group=CHANNELS))
    assert "the group 'channels' of backend 'ws://h:1' is that of channel nodes" in problem


def test_a_backend_that_changes_its_group_is_another_incarnation() -> None:
    one = Backend(name=NodeName("a"), url="ws://h:1")
    assert one.incarnation == Backend(name=NodeName("a"), url="ws://h:1", weight=2.0).incarnation
    lives = {
        Backend(name=NodeName("a"), url="ws://h:1", group=g, life=life).incarnation for g, life in GROUPS_AND_LIVES
    }
    assert len({one.incarnation, *lives}) == 1 + len(GROUPS_AND_LIVES)


GROUPS_AND_LIVES = (("a", ""), ("", "a"), ("a", "a"), ("b", ""))


def test_a_node_that_comes_to_another_group_leaves_its_own() -> None:
    groups = heard(node("a", "x"), node("a", "y", life=2))
    assert [list(groups[name].view.nodes) for name in ("x", "y")] == [[], ["a"]]


def test_a_directive_is_for_all_groups_and_for_those_that_come_later() -> None:
    groups = heard(node("a", "x"))
    assert groups.follow(Directive(version=1, policy="ring"))
    assert not groups.follow(Directive(version=1, policy="ring"))
    heard(node("b", "late"), groups=groups)
    assert {group.name: group.steering.policy.name for group in groups} == {"x": "ring", "late": "ring"}
    assert groups["x"].steering.policy is not groups["late"].steering.policy


def test_each_group_has_its_own_policy_and_one_that_cannot_be_made_changes_none() -> None:
    groups = Groups(ME, lambda name: Steering({"chat": "ring"}.get(name, "two-choices"), b""), kept=["chat"])
    heard(node("a", ""), node("b", "chat"), groups=groups)
    assert [str(groups[name].steering.spec) for name in (DEFAULT, "chat")] == ["two-choices", "ring"]
    with pytest.raises(ConfigError):
        groups.follow(Directive(version=1, policy="fastest"))
    assert {group.steering.directive.version for group in groups} == {0}
    groups.follow(Directive(version=1, policy="round-robin"))
    groups.follow(Directive(version=2))
    assert [str(groups[name].steering.spec) for name in (DEFAULT, "chat")] == ["two-choices", "ring"]


def test_what_is_decided_for_one_group_leaves_the_others_as_they_are() -> None:
    groups = Groups(ME, lambda name: Steering("two-choices", b"", group=name), kept=["chat"])
    heard(node("a", ""), node("b", "feed"), groups=groups)
    groups.follow(Directive(version=1, policy="ring").with_policy("maglev", moving=True, group="chat"))
    groups.follow(groups.directive.with_frozen("a test", "feed"))
    assert {each.name: each.steering.policy.name for each in groups.known} == {
        DEFAULT: "ring", "feed": "ring", "chat": "maglev",
    }  # fmt: skip
    assert {each.name: each.steering.decided.frozen for each in groups.known} == {
        DEFAULT: "", "feed": "a test", "chat": "",
    }  # fmt: skip
    with pytest.raises(ConfigError):
        groups.follow(groups.directive.with_policy("fastest", moving=True, group="chat"))
    assert {each.steering.directive for each in groups.known} == {groups.directive}


def test_of_two_directives_of_one_version_all_groups_follow_the_same() -> None:
    groups = Groups(ME, lambda name: Steering("two-choices", b"", group=name), kept=["chat"])
    loser = Directive(version=1, policy="maglev").with_policy("round-robin", moving=True, group="chat")
    winner = Directive(version=2, policy="ring")
    groups.follow(loser)
    assert winner.newer_than(loser)
    assert groups.follow(winner)
    assert {name: groups[name].steering.policy.name for name in (DEFAULT, "chat")} == {DEFAULT: "ring", "chat": "ring"}


def test_a_group_without_members_is_forgotten_but_for_those_that_routes_name() -> None:
    groups = heard(node("a", "x"), node("b", "kept"), groups=Groups(ME, kept=["kept"]))
    version = groups.version
    for name, group in (("a", "x"), ("b", "kept")):
        groups.forgotten(node(name, group))
    groups.tick(1.0)
    groups.tick(EMPTY_S)
    assert "x" in groups
    groups.tick(1.0 + EMPTY_S)
    assert [group.name for group in groups] == ["kept"]
    assert groups.version > version


def test_doubts_and_beliefs_reach_the_group_of_each_node() -> None:
    groups = Groups(ME)
    groups.knocks = True
    heard(node("n1"), node("a", "x"), groups=groups)
    assert not groups.eligible
    groups.believe([NodeName("n1"), NodeName("a")])
    assert [len(group.view.eligible) for group in groups] == [1, 1]
    groups.doubt(NodeName("a"), "fails")
    groups.eject(NodeName("n1"), "slow")
    assert [each.name for each in groups.takers()] == []
    assert [each.name for each in groups.eligible] == ["n1"]


def test_a_group_of_backends_that_has_none_says_how_one_is_added() -> None:
    groups = Groups(ME, kept=["chat", DEFAULT, CHANNELS])
    for name, said in (
        ("chat", "the group 'chat' has no backend; add one with --backend URL,group=chat, or by another source"),
        (DEFAULT, "the group 'default' has no backend; add one with --backend URL, or by another source"),
        (CHANNELS, "no node is known; start one with `ringway node`"),
    ):
        assert str(no_node(groups[name].view)) == said
        assert why_none(groups[name].view) == said.removesuffix("; start one with `ringway node`")
    assert "`ringway node`" in str(no_node(Groups(ME)[DEFAULT].view)), "no route: channel nodes may be meant"


def test_no_node_in_one_group_is_no_reason_while_another_has_some() -> None:
    groups = heard(node("a", "x", state=NodeState.DRAINING))
    assert why_none_of(Groups(ME)) == "no node is known"
    assert why_none_of(groups).startswith("all 1 nodes are draining")
    heard(node("b", "y", state=NodeState.DRAINING), groups=groups)
    assert why_none_of(groups).startswith("group x: all 1 nodes are draining")
    heard(node("b", "y"), groups=groups)
    assert why_none_of(groups) == ""

"""The cluster by the answers of gateways: why no moves are ordered now, in lines."""

from ringway.cli.cluster_view import frozen_lines, pause_line, pauses_of, view_cluster
from ringway.member.feed import Feed
from ringway.protocol.control import MovePause, NodeProblems
from ringway.types import NodeName
from sample import node_report


def pause(group: str, why: str, *, is_frozen: bool = True) -> MovePause:
    return MovePause(group=group, why=why, is_frozen=is_frozen)


def told(gateway: str, *pauses: MovePause) -> NodeProblems:
    return NodeProblems(gateway=NodeName(gateway), pauses=pauses)


def test_each_group_is_told_once_and_frozen_moves_come_before_members_that_settle() -> None:
    frozen = pause("chat", "an operator has frozen it: x")
    settles, slow = pause("chat", "b joined", is_frozen=False), pause("channels", "the engine is slow")
    assert pauses_of([told("g1", settles, slow), told("g2", frozen), told("g3", frozen)]) == [slow, frozen]
    assert pauses_of([told("g1", settles)]) == [settles]
    assert pauses_of([told("g1")]) == []


def test_a_line_names_the_group_if_there_are_several_and_the_remedy_if_there_is_one() -> None:
    frozen = pause("chat", "an operator has frozen it: x")
    assert pause_line(frozen, ("chat",)) == (
        "Moves are frozen: an operator has frozen it: x. `ringway unfreeze` lets them go on."
    )
    assert pause_line(frozen, ("chat", "feed")) == (
        "Moves of group chat are frozen: an operator has frozen it: x. `ringway unfreeze --group chat` lets them go on."
    )
    assert pause_line(pause("chat", "the engine is slow"), ()) == "Moves are frozen: the engine is slow."
    assert pause_line(pause("chat", "b joined", is_frozen=False), ()) == "No moves are ordered now: b joined."


def test_nodes_show_that_moves_of_their_group_are_frozen() -> None:
    members = Feed()
    for name, group in (("a", "chat"), ("b", "feed"), ("c", "feed")):
        members.add_report(node_report(name, is_backend=True, group=group, holders=("g1",)))
    answers = [told("g1", pause("feed", "an operator has frozen it: x"), pause("chat", "a left", is_frozen=False))]
    cluster = view_cluster(members, answers)
    assert {node.name: node.frozen for node in cluster.nodes} == {
        "a": "",
        "b": "an operator has frozen it: x",
        "c": "an operator has frozen it: x",
    }
    [line] = frozen_lines(answers, cluster)
    assert line.startswith("Moves of group feed are frozen: an operator has frozen it: x.")

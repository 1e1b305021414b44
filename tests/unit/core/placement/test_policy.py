"""Properties of every policy."""

import pytest

from ringway.core.load import LoadView
from ringway.core.placement.catalog import POLICIES
from ringway.core.placement.policy import Policy, why_none, with_alternates
from ringway.core.placement.spec import DEFAULT_POLICY
from ringway.errors import ConfigError, NoNode
from ringway.protocol.report import Report
from ringway.types import Incarnation, NodeName, NodeState, Role
from sample import GATEWAY, SPECS, equal, make_policy, name, node_report, rng, view_of


@pytest.fixture(params=SPECS)
def policy(request: pytest.FixtureRequest) -> Policy:
    return make_policy(request.param, b"secret")


def test_a_policy_is_found_by_its_name() -> None:
    assert sorted({make_policy(spec, b"").name for spec in SPECS}) == sorted(POLICIES)
    assert DEFAULT_POLICY in POLICIES


def test_an_unknown_name_is_answered_with_those_there_are() -> None:
    with pytest.raises(ConfigError, match=r"'fastest' is unknown; choose one of two-choices, round-robin"):
        make_policy("fastest", b"")


def test_without_nodes_the_error_says_how_to_start_one(policy: Policy) -> None:
    with pytest.raises(NoNode, match="ringway node"):
        policy.pick(LoadView(GATEWAY), None, rng(), 1)


def test_where_all_nodes_drain_the_error_says_so(policy: Policy) -> None:
    view = LoadView(GATEWAY)
    view.reported(node_report("n1", draining=True), 0.0)
    with pytest.raises(NoNode, match="all 1 nodes are draining"):
        policy.pick(view, b"key", rng(), 3)


def test_a_single_node_is_chosen_whatever_is_asked_for(policy: Policy) -> None:
    view = view_of({"n1": 2.5})
    for count in (1, 2, 5):
        assert [node.name for node in policy.pick(view, None, rng(), count).nodes] == ["n1"]


@pytest.mark.parametrize("count", [1, 2, 3, 7, 20])
def test_alternates_are_distinct_and_no_more_than_asked_for(policy: Policy, count: int) -> None:
    view = view_of(equal(7))
    chance = rng()
    for number in range(50):
        ranked = policy.pick(view, b"%d" % number, chance, count).nodes
        assert len(ranked) == len(set(ranked)) == min(count, 7)


def test_every_alternate_has_its_turn(policy: Policy) -> None:
    view = view_of(equal(5))
    chance = rng()
    second = set()
    for number in range(500):
        chosen, first, *_ = policy.pick(view, b"%d" % number, chance, 3).nodes
        second.add(first.name)
        view.place(chosen, 0.0)
        view.unplace(chosen)
    assert second == set(equal(5))


def test_a_draining_node_is_never_chosen_not_even_as_alternate(policy: Policy) -> None:
    view = view_of(equal(4))
    chance = rng()
    policy.pick(view, b"key", chance, 3)
    view.reported(node_report("n2", 2, draining=True), 1.0)
    for number in range(200):
        assert "n2" not in {node.name for node in policy.pick(view, b"%d" % number, chance, 4).nodes}


def test_a_node_that_has_left_is_never_chosen_and_a_new_one_is(policy: Policy) -> None:
    view = view_of(equal(4))
    chance = rng()
    policy.pick(view, b"key", chance, 1)
    view.forgotten(node_report("n2"))
    view.reported(node_report("n9"), 1.0)
    chosen = set()
    for number in range(500):
        node = policy.pick(view, b"%d" % number, chance, 1).nodes[0]
        chosen.add(node.name)
        view.place(node, 1.0)
        view.unplace(node)
    assert chosen <= {"n0", "n1", "n3", "n9"}
    assert "n9" in chosen


def test_a_restarted_node_is_chosen_as_it_is_now(policy: Policy) -> None:
    view = view_of(equal(2))
    chance = rng()
    policy.pick(view, b"key", chance, 1)
    view.reported(node_report("n1", life=2), 1.0)
    for number in range(50):
        for node in policy.pick(view, b"%d" % number, chance, 2).nodes:
            assert node is view.nodes[node.name]


def test_alternates_begin_anywhere_and_leave_the_chosen_out() -> None:
    view = view_of(equal(4))
    chosen = view.eligible[1]
    chance = rng()
    seen = {tuple(node.name for node in with_alternates(view, [chosen], 3, chance)[1:]) for _ in range(200)}
    assert seen == {(name(0), name(2)), (name(2), name(3)), (name(3), name(0))}


def test_the_reason_why_nobody_is_placed_is_the_true_one() -> None:
    def reason(*nodes: tuple[str, NodeState, float, str]) -> str:
        view = LoadView(GATEWAY, ages=False)
        for index, (called, state, weight, problem) in enumerate(nodes):
            me, life = NodeName(called), Incarnation(f"{index:08x}")
            view.reported(
                Report(name=me, incarnation=life, role=Role.NODE, seq=1, state=state, weight=weight, url="ws://h"), 0.0
            )
            view.nodes[me].problem = problem
            if problem:
                view.doubt(me, problem)
        return why_none(view)

    active, draining = NodeState.ACTIVE, NodeState.DRAINING
    assert reason() == "no node is known"
    assert reason(("a", active, 1.0, "")) == ""
    assert reason(("a", active, 1.0, "the check answered 400"), ("b", active, 1.0, "late")) == (
        "all 2 backends fail their check (a: the check answered 400, b: late)"
    )
    assert reason(("a", active, 1.0, "x")) == "the one backend fails its check (a: x)"
    many = reason(*((f"b{index}", active, 1.0, "x") for index in range(9)))
    assert many == "all 9 backends fail their check (b0: x, b1: x, b2: x, ...)"
    assert reason(("a", draining, 1.0, "")) == "all 1 nodes are draining; take one back with `ringway undrain`"
    assert reason(("a", active, 0.0, "")) == "all 1 nodes have a weight of 0; raise the weight of one"
    mixed = reason(("a", draining, 1.0, ""), ("b", active, 0.0, ""))
    assert mixed.startswith("nobody can be placed: 1 nodes are draining")


def test_nodes_that_have_not_answered_a_knock_are_counted_in_the_reason() -> None:
    view = LoadView(GATEWAY)
    view.knocks = True
    view.reported(node_report("n1"), 0.0)
    view.doubt(view.nodes[NodeName("n1")].name, "its URL ws://10.0.0.1 cannot be reached")
    assert why_none(view) == "all 1 nodes have not answered the gateway's knock; `ringway nodes` says why"

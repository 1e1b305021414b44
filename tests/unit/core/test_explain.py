"""Output of `ringway explain`: the choice, the numbers compared, and the reasons against the other nodes."""

from math import inf

import msgspec
import pytest

from ringway.core.explain import explain, key_of_request, why_not
from ringway.core.load import LoadView
from ringway.core.placement.catalog import POLICIES
from ringway.core.placement.key import KeyReader
from ringway.core.placement.key_source import KeySource
from ringway.core.steering import Steering
from ringway.protocol.control import Candidate, Explanation
from ringway.types import NodeName
from sample import GATEWAY, gateway_report, node_report, rng, view_of

ME = NodeName("gateway-1")


def ask(view: LoadView, policy: str = "least-connected", key: str = "", now: float = 0.5) -> Explanation:
    return explain(view, Steering(policy, b"secret"), key, rng(), now, ME)


@pytest.mark.parametrize(
    ("policy", "key"),
    [
        ("rendezvous:key=path", "/chat/r1"),
        ("ring:key=query.room", "ä b"),
        ("ring:key={host}{path}", "h.example/chat/r1"),
        ("ring", ""),
        ("ring:key=ip", ""),
        ("two-choices", ""),
    ],
)
def test_the_key_is_read_from_the_request_that_is_asked_about(policy: str, key: str) -> None:
    steering = Steering(policy, b"secret")
    assert key_of_request(steering, "h.example:80", "/chat/r1?room=%C3%A4+b&x=1") == key


def of(said: Explanation, node: str) -> Candidate:
    return next(candidate for candidate in said.candidates if candidate.node == node)


def test_the_least_loaded_is_chosen_and_all_numbers_are_shown() -> None:
    view = view_of({"n1": 1.0, "n2": 2.0, "n3": 1.0}, loads={"n1": 9, "n2": 9, "n3": 9})
    said = ask(view)
    assert (said.gateway, said.policy, said.chosen) == ("gateway-1", "least-connected", "n2")
    assert set(said.alternates) == {"n1", "n3"}
    assert {candidate.node: candidate.value for candidate in said.candidates} == {"n1": 10, "n2": 5, "n3": 10}
    assert all(candidate.compared and candidate.eligible for candidate in said.candidates)
    assert said.problem == said.note == ""
    assert said.rule
    assert said.measure


def test_the_parts_of_the_load_are_told_apart() -> None:
    view = view_of({"n1": 1.0})
    view.reported(node_report("n1", 2, connections=5, pending=2, connections_max=50), 0.0)
    view.reported(gateway_report("g2", reserved={NodeName("n1"): 3}), 0.0)
    view.place(view.nodes[NodeName("n1")], 0.0)
    [node] = ask(view).candidates
    assert (node.connections, node.pending, node.held_here, node.held_elsewhere, node.load) == (5, 2, 1, 3, 11)
    assert (node.connections_max, node.report_age_s) == (50, 0.5)


def test_nothing_is_placed_and_nobody_loses_a_turn() -> None:
    view = view_of({"n1": 1.0, "n2": 1.0})
    steering = Steering("round-robin", b"")
    steering.policy.pick(view, None, rng(), 1)
    expected = explain(view, steering, "", rng(), 0.0, ME).chosen
    for _ in range(5):
        assert explain(view, steering, "", rng(), 0.0, ME).chosen == expected
    assert (view.placed, view.total, view.ledger.held()) == (0, 0, {})
    assert steering.policy.pick(view, None, rng(), 1).nodes[0].name == expected


@pytest.mark.parametrize(
    ("fields", "said"),
    [
        ({"draining": True}, "draining"),
        ({"draining": True, "drain_left_s": 90.0}, "draining, for 90 s more"),
        ({"weight": 0.0}, "its weight is 0"),
        ({"connections": 7, "connections_max": 7}, "holds 7 of at most 7"),
    ],
)
def test_whoever_could_not_be_chosen_says_why(fields: dict[str, object], said: str) -> None:
    view = view_of({"n1": 1.0})
    view.reported(node_report("n2", **fields), 0.0)  # type: ignore[arg-type]
    explanation = ask(view)
    assert explanation.chosen == "n1"
    node = of(explanation, "n2")
    assert said in node.why_not
    assert not node.eligible
    assert of(explanation, "n1").why_not == ""


def test_what_a_gateway_itself_holds_against_a_node_is_said() -> None:
    view = view_of({"n1": 1.0, "n2": 1.0, "n3": 1.0})
    view.set_gates({NodeName("n2"): "cpu is 98 %"})
    view.set_trims({NodeName("n3"): 0.0})
    said = ask(view)
    assert of(said, "n2").why_not == "cpu is 98 %"
    assert of(said, "n2").value is None
    assert "weight loop" in of(said, "n3").why_not


def test_old_reports_count_more_and_then_bar() -> None:
    view = view_of({"n1": 1.0, "n2": 1.0, "n3": 1.0})
    for number in ("n1", "n2"):
        view.reported(node_report(number, 2), 6.0)
    view.tick(4.0)
    aged = of(ask(view, now=4.0), "n3")
    assert aged.eligible
    assert "4.0 s old: its load counts 1.40 times" in aged.note
    view.tick(6.0)
    assert "not heard for 6.0 s" in of(ask(view, now=6.0), "n3").why_not


def test_when_most_are_silent_the_gateway_says_that_it_doubts_itself() -> None:
    view = view_of({"n1": 1.0, "n2": 1.0})
    view.tick(60.0)
    assert "doubts its own ears" in ask(view, now=60.0).note


def test_a_node_that_has_had_its_share_says_when_its_turn_comes() -> None:
    view = view_of({f"n{number}": 1.0 for number in range(10)})
    node = view.nodes[NodeName("n1")]
    while node.ready:
        view.place(node, 0.0)
    said = of(ask(view, now=0.0), "n1")
    assert said.why_not.startswith("paced: it has had 3 times its fair share")
    assert said.value is None


def test_a_node_that_is_given_what_it_can_take_says_how_much_that_is() -> None:
    view = view_of({"n1": 1.0, "n2": 1.0})
    view.reported(node_report("n1", 2, accept_per_s=10.0), 0.0)
    view.place(view.nodes[NodeName("n1")], 0.0)
    view.place(view.nodes[NodeName("n1")], 0.0)
    assert "given 5.0 a second by this gateway; its turn comes in 0.2" in of(ask(view, now=0.0), "n1").why_not
    assert of(ask(view, now=1.0), "n1").eligible, "the view is awake before the pick"


def test_where_all_are_paced_the_first_turn_is_taken_and_said() -> None:
    view = view_of({"n1": 1.0})
    view.reported(node_report("n1", 2, accept_per_s=10.0), 0.0)
    view.place(view.nodes[NodeName("n1")], 0.0)
    view.place(view.nodes[NodeName("n1")], 0.0)
    said = ask(view, now=0.0)
    assert said.chosen == "n1"
    assert of(said, "n1").eligible
    assert of(said, "n1").why_not == ""
    assert "a second by this gateway" in of(said, "n1").note
    assert "whose turn comes first is taken" in said.note


def test_a_policy_that_does_not_mind_the_share_is_not_said_to_have_no_choice() -> None:
    view = view_of({f"n{number}": 1.0 for number in range(10)})
    steering = Steering("rendezvous:c=0", b"secret")
    owner = view.nodes[explain(view, steering, "room", rng(), 0.0, ME).chosen]
    while owner.ready:
        view.place(owner, 0.0)
    said = explain(view, steering, "room", rng(), 0.0, ME)
    assert said.chosen == owner.name
    assert of(said, owner.name).eligible
    assert of(said, owner.name).note.startswith("paced: it has had 3 times its fair share")
    assert said.note == ""


@pytest.mark.parametrize("policy", ["ring", "least-connected"])
def test_where_nobody_can_be_chosen_the_reason_stands_in_its_place(policy: str) -> None:
    view = LoadView(GATEWAY)
    assert "no node is known" in ask(view, policy).problem
    view.reported(node_report("n1", draining=True), 0.0)
    said = ask(view, policy, key="room")
    assert said.chosen == ""
    assert "all 1 nodes are draining" in said.problem
    assert of(said, "n1").why_not == "draining"


def test_a_key_goes_where_a_client_with_it_would() -> None:
    view = view_of({f"n{number}": 1.0 for number in range(5)})
    steering = Steering("ring", b"secret")
    for key in ("room-1", "room-2", "\udcff"):
        said = explain(view, steering, key, rng(), 0.0, ME)
        assert said.key == key
        chosen = steering.policy.pick(view, key.encode("utf-8", "surrogateescape"), rng(), 1).nodes[0]
        assert said.chosen == chosen.name == said.candidates[0].node, "its nodes come in the order of the key"


def test_an_owner_without_room_is_passed_over_in_words() -> None:
    view = view_of({"n1": 1.0, "n2": 1.0, "n3": 1.0}, loads={"n1": 10, "n2": 0, "n3": 0})
    steering = Steering("ring:c=1", b"secret")
    keys = [f"room-{number}" for number in range(50)]
    asked = [explain(view, steering, key, rng(), 0.0, ME) for key in keys]
    passed = [said for said in asked if said.candidates[0].node == "n1"]
    assert passed
    for said in passed:
        assert said.chosen != "n1"
        assert of(said, "n1").note == "comes earlier in the key's order, but is at its cap"
    later = [said for said in asked if said.candidates[0].node != "n1" and of(said, "n1").compared]
    assert later
    assert {of(said, "n1").note for said in later} == {"is at its cap"}


def test_a_key_that_is_not_shown_to_nodes_is_looked_up_as_they_know_it() -> None:
    view = view_of({f"n{number}": 1.0 for number in range(5)})
    steering = Steering("ring", b"secret")
    steering.keys = KeyReader("cookie.session", b"secret")
    chosen = {explain(view, steering, f"s{number}", rng(), 0.0, ME).chosen for number in range(20)}
    digests = {steering.keys.read(KeySource(headers=[("cookie", f"session=s{number}")])) for number in range(20)}
    assert chosen == {steering.policy.pick(view, digest, rng(), 1).nodes[0].name for digest in digests}
    said = explain(view, steering, "s1", rng(), 0.0, ME)
    digest = steering.keys.read(KeySource(headers=[("cookie", "session=s1")]))
    assert said.chosen == steering.policy.pick(view, digest, rng(), 1).nodes[0].name


@pytest.mark.parametrize("policy", [name for name in POLICIES if name != "score"])
def test_every_policy_can_be_explained_and_told_as_json(policy: str) -> None:
    view = view_of({"n1": 1.0, "n2": 1.0, "n3": 1.0}, loads={"n1": 4})
    view.reported(node_report("n4", draining=True), 0.0)
    said = ask(view, policy, key="room")
    assert {candidate.node for candidate in said.candidates} == {"n1", "n2", "n3", "n4"}
    chosen = of(said, said.chosen)
    assert chosen.compared
    if not POLICIES[policy].table:
        values = [each.value for each in said.candidates if each.compared and each.value is not None]
        assert chosen.value == min(values), "the smallest wins"
    assert inf not in [candidate.value for candidate in said.candidates]
    assert msgspec.json.decode(msgspec.json.encode(said), type=Explanation) == said


def test_a_node_that_may_be_chosen_has_no_reason_against_it() -> None:
    view = view_of({"n1": 1.0})
    assert why_not(view, view.nodes[NodeName("n1")], 0.0) == ""


def test_while_the_table_of_owners_is_built_it_says_so() -> None:
    view, steering = view_of({"n1": 1.0, "n2": 1.0}), Steering("maglev", b"secret")
    assert "is being built" in explain(view, steering, "room", rng(), 0.0, ME).note
    while steering.prepare(view):
        pass
    assert explain(view, steering, "room", rng(), 0.0, ME).note == ""

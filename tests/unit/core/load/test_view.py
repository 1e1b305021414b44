"""Effective load: its parts, and the places that make it."""

from typing import Any

import pytest
from msgspec.structs import replace

from ringway.core.load import LoadView, NodeLoad
from ringway.protocol.report import Report
from ringway.types import Issuer, NodeName
from sample import GATEWAY, gateway_report, node_report

N1 = NodeName("n1")
N2 = NodeName("n2")


@pytest.fixture
def view() -> LoadView:
    return LoadView(GATEWAY)


def names(view: LoadView) -> list[str]:
    return [node.name for node in view.eligible]


def issuer(report: Report) -> Issuer:
    return Issuer(report.incarnation)


def test_load_is_the_sum_of_its_parts(view: LoadView) -> None:
    view.reported(gateway_report("g2", reserved={N1: 3}), 0.0)
    view.reported(node_report("n1", connections=10, pending=2), 0.0)
    view.place(view.nodes[N1], 0.0)
    node = view.nodes[N1]
    assert (node.connections, node.pending, node.own, node.others) == (10, 2, 1, 3)
    assert node.load == 16
    assert node.full == 17.0


def test_fullness_is_per_weight_and_counts_the_next_connection(view: LoadView) -> None:
    view.reported(node_report("n1", weight=4.0), 0.0)
    assert view.nodes[N1].full == 0.25
    view.place(view.nodes[N1], 0.0)
    assert view.nodes[N1].full == 0.5


def test_draining_nodes_are_known_but_not_eligible(view: LoadView) -> None:
    view.reported(node_report("n2"), 0.0)
    view.reported(node_report("n1"), 0.0)
    assert names(view) == ["n1", "n2"]
    view.reported(node_report("n2", 2, draining=True), 1.0)
    assert names(view) == ["n1"]
    assert N2 in view.nodes
    view.reported(node_report("n2", 3), 2.0)
    assert names(view) == ["n1", "n2"]


def test_the_version_grows_with_members_states_and_weights_only(view: LoadView) -> None:
    view.reported(node_report("n1"), 0.0)
    version = view.version
    view.reported(node_report("n1", 2, connections=99), 1.0)
    view.place(view.nodes[N1], 1.0)
    assert view.version == version
    for report in (
        node_report("n1", 3, weight=2.0),
        node_report("n1", 4, weight=2.0, draining=True),
        node_report("n1", 5, weight=2.0),
        node_report("n2"),
    ):
        view.reported(report, 2.0)
        assert view.version > version
        version = view.version
    view.forgotten(node_report("n2"))
    assert view.version > version


def test_a_node_that_restarts_draining_leaves_no_trace_of_its_former_life(view: LoadView) -> None:
    view.reported(node_report("n1", life=1), 0.0)
    view.reported(node_report("n1", life=2, draining=True), 1.0)
    assert view.eligible == []


def test_a_restarted_node_begins_with_what_it_reports(view: LoadView) -> None:
    view.reported(gateway_report("g2", reserved={N1: 3}), 0.0)
    view.reported(node_report("n1", life=1, connections=50), 0.0)
    view.reported(node_report("n1", life=2, connections=1), 1.0)
    assert view.nodes[N1].load == 4
    assert view.eligible == [view.nodes[N1]]


def test_a_place_turns_into_a_connection_when_the_node_reports_its_ticket(view: LoadView) -> None:
    view.reported(node_report("n1"), 0.0)
    view.place(view.nodes[N1], 0.0)
    view.reported(node_report("n1", 2, connections=1, taken={GATEWAY: 1}), 1.0)
    assert (view.nodes[N1].own, view.nodes[N1].load) == (0, 1)


def test_a_place_that_nobody_takes_ends(view: LoadView) -> None:
    view.reported(node_report("n1"), 0.0)
    view.place(view.nodes[N1], 0.0)
    view.tick(9.9)
    assert view.nodes[N1].load == 1
    view.tick(10.0)
    assert view.nodes[N1].load == 0


def test_a_place_can_be_given_up(view: LoadView) -> None:
    view.reported(node_report("n1"), 0.0)
    view.place(view.nodes[N1], 0.0)
    view.unplace(view.nodes[N1])
    assert view.nodes[N1].load == 0
    view.unplace(view.nodes[N1])
    assert view.nodes[N1].load == 0


def test_places_of_others_follow_their_reports(view: LoadView) -> None:
    view.reported(node_report("n1"), 0.0)
    view.reported(gateway_report("g2", 1, reserved={N1: 5}), 0.0)
    view.reported(node_report("n3", 1, reserved={N1: 2}), 0.0)
    assert view.nodes[N1].load == 7
    view.reported(gateway_report("g2", 2, reserved={N1: 1}), 1.0)
    assert view.nodes[N1].load == 3
    view.reported(gateway_report("g2", 3), 2.0)
    assert view.nodes[N1].load == 2
    view.forgotten(node_report("n3", 1))
    assert view.nodes[N1].load == 0


def test_ones_own_places_are_not_counted_twice() -> None:
    me = gateway_report("g1", reserved={N1: 1})
    view = LoadView(issuer(me))
    view.reported(node_report("n1"), 0.0)
    view.place(view.nodes[N1], 0.0)
    view.reported(me, 0.5)
    assert view.nodes[N1].load == 1


def test_a_node_that_leaves_takes_its_places_along(view: LoadView) -> None:
    view.reported(node_report("n1"), 0.0)
    view.place(view.nodes[N1], 0.0)
    view.forgotten(node_report("n1"))
    assert view.nodes == {}
    assert view.eligible == []
    view.reported(node_report("n1", 2), 5.0)
    assert view.nodes[N1].load == 0


def test_relays_of_a_backend_that_does_not_report_are_counted_here(view: LoadView) -> None:
    view.reported(node_report("n1"), 0.0)
    node = view.nodes[N1]
    view.place(node, 0.0)
    view.arrived(node)
    assert (node.connections, node.own, node.load) == (1, 0, 1)
    view.departed(node)
    assert node.load == 0


# -- claims: places that donors hold for moved clients, given to whoever comes without a ticket


def donor(seq: int, *, moved: int, held: int) -> Report:
    return node_report("n1", seq, connections=10, moved={N2: moved}, reserved={N2: held} if held else {})


def claimed(view: LoadView, now: float) -> list[str]:
    """Claim until nothing is left."""
    found = []
    while (claim := view.claim(now)) is not None:
        found.append(claim[0].name)
    return found


def test_a_place_held_for_a_move_is_given_to_whoever_comes(view: LoadView) -> None:
    view.reported(donor(1, moved=1, held=1), 0.0)
    view.reported(node_report("n2"), 0.0)
    assert view.claim(0.0) == (view.nodes[N2], issuer(donor(1, moved=1, held=1)))


def test_no_place_is_given_twice(view: LoadView) -> None:
    view.reported(donor(1, moved=3, held=3), 0.0)
    view.reported(node_report("n2"), 0.0)
    assert claimed(view, 0.0) == ["n2"] * 3
    assert view.claim(1.0) is None


def test_a_claim_does_not_change_the_load(view: LoadView) -> None:
    view.reported(donor(1, moved=1, held=1), 0.0)
    view.reported(node_report("n2"), 0.0)
    before: NodeLoad = view.nodes[N2]
    load = before.load
    view.claim(0.0)
    assert view.nodes[N2].load == load == 1


def test_places_of_a_running_move_can_be_claimed_as_fast_as_they_come(view: LoadView) -> None:
    """At 60 moves a second, each claimed at once and heard of a second later, none is left to the policy."""
    view.reported(node_report("n2"), 0.0)
    given = 0
    for second in range(1, 11):
        view.reported(donor(second, moved=60 * second, held=60), float(second))
        given += len(claimed(view, second + 0.5))
    assert given == 600


def test_gateways_hold_places_for_their_own_clients_only(view: LoadView) -> None:
    view.reported(gateway_report("g2", reserved={N2: 4}), 0.0)
    view.reported(node_report("n2"), 0.0)
    assert view.claim(0.0) is None


def test_no_place_is_claimed_at_a_node_that_drains_or_is_gone(view: LoadView) -> None:
    view.reported(donor(1, moved=2, held=2), 0.0)
    assert view.claim(0.0) is None
    view.reported(node_report("n2", draining=True), 0.0)
    assert view.claim(0.0) is None


def test_the_places_of_a_donor_that_is_gone_cannot_be_claimed(view: LoadView) -> None:
    view.reported(donor(1, moved=2, held=2), 0.0)
    view.reported(node_report("n2"), 0.0)
    view.forgotten(donor(1, moved=2, held=2))
    assert view.claim(0.0) is None


# -- who may be given more


def filled(view: LoadView, node: NodeLoad, count: int, now: float) -> None:
    for _ in range(count):
        view.place(node, now)


def test_a_node_at_its_maximum_is_barred_until_somebody_leaves(view: LoadView) -> None:
    view.reported(node_report("n1", connections=8, connections_max=10), 0.0)
    node = view.nodes[N1]
    filled(view, node, 2, 0.0)
    assert node.barred == "holds 10 of at most 10"
    assert not node.ready
    assert not node.able(99.0)
    view.unplace(node)
    assert node.ready
    view.reported(node_report("n1", 2, connections=12, connections_max=10), 1.0)
    assert not node.ready
    view.reported(node_report("n1", 3, connections=9, connections_max=11), 2.0)
    assert node.ready


def test_places_of_others_fill_a_node_too(view: LoadView) -> None:
    view.reported(node_report("n1", connections_max=3), 0.0)
    view.reported(gateway_report("g2", reserved={N1: 3}), 0.0)
    assert view.nodes[N1].barred
    view.reported(gateway_report("g2", 2, reserved={N1: 2}), 0.0)
    assert view.nodes[N1].ready


def test_a_gate_bars_a_node_until_it_opens_and_outlives_its_restart(view: LoadView) -> None:
    view.reported(node_report("n1"), 0.0)
    view.set_gates({N1: "cpu 97 of at most 90"})
    assert view.nodes[N1].barred == "cpu 97 of at most 90"
    view.reported(node_report("n1", life=2), 1.0)
    assert not view.nodes[N1].ready
    view.set_gates({})
    assert view.nodes[N1].ready


def test_trims_change_the_weight_of_load_but_not_that_of_keys(view: LoadView) -> None:
    view.reported(node_report("n1", weight=2.0), 0.0)
    version = view.version
    view.set_trims({N1: 0.5})
    node = view.nodes[N1]
    assert (node.weight, node.weight_own, view.weights, view.version) == (1.0, 2.0, 1.0, version + 1)
    view.set_trims({N1: 0.5})
    assert view.version == version + 1
    view.set_trims({})
    assert node.weight == 2.0


def test_a_place_at_a_node_that_is_gone_is_not_held(view: LoadView) -> None:
    """A gateway tries an alternate that it was given a while ago."""
    view.reported(node_report("n1"), 0.0)
    view.reported(node_report("n2"), 0.0)
    gone = view.nodes[N2]
    view.forgotten(node_report("n2"))
    view.place(gone, 0.0)
    view.unplace(gone)
    assert (view.total, view.ledger.held(), view.placed) == (0, {}, 0)


def test_a_place_at_a_former_life_is_held_at_the_present_one(view: LoadView) -> None:
    view.reported(node_report("n1", life=1), 0.0)
    former = view.nodes[N1]
    view.reported(node_report("n1", life=2), 1.0)
    view.place(former, 1.0)
    assert (view.nodes[N1].load, view.total) == (1, 1)
    view.unplace(former)
    assert (view.nodes[N1].load, view.total) == (0, 0)


def test_a_place_at_a_draining_node_is_not_part_of_the_total(view: LoadView) -> None:
    view.reported(node_report("n1", draining=True), 0.0)
    view.place(view.nodes[N1], 0.0)
    assert (view.nodes[N1].load, view.total) == (1, 0)


# -- the pace


def rated(view: LoadView, count: int, accept_per_s: float) -> list[NodeLoad]:
    for index in range(count):
        view.reported(node_report(f"n{index}", accept_per_s=accept_per_s), 0.0)
    return view.eligible


def test_a_node_that_has_had_its_share_waits_for_placements(view: LoadView) -> None:
    """Ten nodes: one may have three tenths, and be five ahead."""
    first, *others = rated(view, 10, 0.0)
    filled(view, first, 5, 0.0)
    assert first.ready
    filled(view, first, 2, 0.0)
    assert not first.ready
    assert first.able(0.0)  # its share is spent, not its strength
    for _ in range(4):
        view.place(others[0], 0.0)
        view.wake(0.0)
    assert first.ready


def test_a_node_that_has_had_what_it_can_take_waits_for_time(view: LoadView) -> None:
    first, *_ = rated(view, 2, 20.0)
    filled(view, first, 2, 0.0)
    assert not first.ready
    assert not first.able(0.0)
    view.wake(0.09)
    assert not first.ready
    view.wake(0.11)
    assert first.ready


def test_a_place_that_was_given_up_gives_its_turn_back(view: LoadView) -> None:
    first, *_ = rated(view, 2, 4.0)
    filled(view, first, 2, 0.0)
    assert not first.ready
    view.unplace(first)
    view.wake(0.0)
    assert first.ready


def test_each_gateway_gives_its_part_of_the_rate(view: LoadView) -> None:
    for gateway in range(4):
        view.reported(gateway_report(f"g{gateway}"), 0.0)
    first, *_ = rated(view, 2, 80.0)
    view.place(first, 0.0)
    assert first.accept.interval_s == pytest.approx(0.1)
    view.forgotten(gateway_report("g3"))
    view.forgotten(gateway_report("g2"))
    view.place(first, 0.0)
    assert first.accept.interval_s == pytest.approx(0.05)


def test_the_fair_share_is_that_among_those_who_take_anybody(view: LoadView) -> None:
    first, *others = rated(view, 10, 0.0)
    view.set_gates({node.name: "full" for node in others[1:]})
    filled(view, first, 100, 0.0)
    assert first.ready  # one of two: it may have more than half


# -- the age of reports


def test_an_old_report_counts_for_more_then_bars_its_node(view: LoadView) -> None:
    for index in range(3):
        view.reported(node_report(f"n{index}", connections=99), 0.0)
    for index in range(1, 3):
        view.reported(node_report(f"n{index}", 2, connections=99), 6.0)
    silent = view.nodes[NodeName("n0")]
    view.tick(3.0)
    assert (silent.inflation, silent.full) == (1.0, 100.0)
    view.tick(4.0)
    assert silent.inflation == pytest.approx(1.4)
    assert silent.full == pytest.approx(99 * 1.4 + 1)
    view.tick(5.0)
    assert silent.ready
    assert view.suspects(5.0) == ["n0"]
    view.tick(5.1)
    assert silent.barred == "not heard for 5.1 s"
    view.reported(node_report("n0", 2, connections=99), 6.0)
    assert (silent.inflation, silent.barred, silent.full) == (1.0, "", 100.0)


def test_when_most_are_silent_ages_are_ignored_but_maxima_and_drains_are_not(view: LoadView) -> None:
    for index in range(5):
        view.reported(node_report(f"n{index}", connections=9, connections_max=9 if index == 4 else 0), 0.0)
    view.reported(node_report("n3", 2, draining=True), 0.0)
    view.reported(node_report("n0", 2, connections=9), 6.0)
    view.tick(6.0)
    assert view.panic
    assert [node.ready for node in view.eligible] == [True, True, True, False]
    assert view.nodes[N1].inflation == 1.0
    assert view.suspects(6.0) == ["n1", "n2", "n3", "n4"]  # no moves meanwhile: the balancer freezes
    view.reported(node_report("n1", 2, connections=9), 6.0)
    view.tick(6.1)
    assert not view.panic
    assert view.nodes[N2].barred


def test_what_does_not_report_does_not_age() -> None:
    view = LoadView(GATEWAY, ages=False)
    view.reported(node_report("n1"), 0.0)
    view.tick(1000.0)
    assert view.nodes[N1].ready
    assert view.suspects(1000.0) == []


def test_who_has_arrived_is_not_counted_as_on_the_way_until_the_gateway_says_so(view: LoadView) -> None:
    """The node speaks before the gateway whose clients it has taken: nobody counts twice in between."""
    gateway = gateway_report("g2", reserved={N1: 5})
    view.reported(node_report("n1", 1), 0.0)
    view.reported(gateway, 0.0)
    view.reported(node_report("n1", 2, connections=4, taken={issuer(gateway): 4}), 1.0)
    assert (view.nodes[N1].others, view.nodes[N1].load) == (1, 5)
    view.reported(gateway_report("g2", 2, reserved={N1: 1}), 1.1)
    assert view.nodes[N1].load == 5


def test_with_knocks_a_node_is_eligible_when_it_is_believed(view: LoadView) -> None:
    view.knocks = True
    view.reported(node_report("n1", weight=2.0, connections=3), 0.0)
    node, version = view.nodes[N1], view.version
    assert (names(view), view.total, view.takers()) == ([], 0, [])
    assert node.doubt
    assert node.barred == node.doubt
    assert not node.able(0.0)
    view.doubt(N1, "its URL leads elsewhere")
    view.reported(node_report("n1", 2, weight=2.0, connections=4), 1.0)
    assert node.barred == "its URL leads elsewhere"
    assert view.version == version  # nobody who chooses has anything to compute anew
    view.believe([N1])
    assert (names(view), view.total, view.weights, view.takers()) == (["n1"], 4, 2.0, [node])
    assert not node.barred


@pytest.mark.parametrize("change", [{"life": 2}, {"url": "ws://elsewhere"}])
def test_a_new_incarnation_and_a_new_url_are_in_doubt_again(view: LoadView, change: dict[str, Any]) -> None:
    view.knocks = True
    view.reported(node_report("n1"), 0.0)
    view.believe([N1])
    report = node_report("n1", 2)
    view.reported(report, 1.0)
    assert names(view) == ["n1"]
    life = change.pop("life", 1)
    view.reported(replace(node_report("n1", 3, life), **change), 2.0)
    assert names(view) == []
    assert (view.total, view.weights) == (0, 0)


def test_a_node_that_leaves_in_doubt_leaves_no_trace(view: LoadView) -> None:
    view.knocks = True
    view.reported(node_report("n1"), 0.0)
    view.forgotten(view.nodes[N1].report or node_report("n1"))
    assert (names(view), view.nodes) == ([], {})


def test_nobody_is_given_the_place_of_a_moved_client_at_a_node_in_doubt(view: LoadView) -> None:
    view.knocks = True
    view.reported(node_report("n2"), 0.0)
    view.reported(node_report("n1", reserved={N2: 1}), 0.0)
    assert view.claim(0.0) is None
    view.believe([N1, N2])
    assert view.claim(0.0) is not None

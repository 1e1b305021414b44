"""The planner of moves, by example; tests/property/test_balance.py has its laws."""

import math

import pytest

from ringway.core.balance.config import BalanceConfig
from ringway.core.balance.match import match
from ringway.core.balance.plan import NodeSnapshot, Plan, Quota, fair_shares, plan_by_key, plan_by_load
from ringway.types import NodeName

CONFIG = BalanceConfig()
A, B, C, D = (NodeName(letter) for letter in "abcd")


def standing(
    name: str,
    load: int,
    *,
    weight: float = 1.0,
    movable: int | None = None,
    active: bool = True,
    room: float = math.inf,
    zone: str = "",
) -> NodeSnapshot:
    held = load if movable is None else movable
    return NodeSnapshot(NodeName(name), weight, load, held, active, room=room, zone=zone)


def quotas(plan: Plan) -> list[tuple[str, str, int]]:
    return [(quota.donor, quota.target, quota.count) for quota in plan.quotas]


def test_a_new_node_gets_its_share_from_the_old_ones() -> None:
    plan = plan_by_load([standing("a", 150), standing("b", 150), standing("c", 0)], CONFIG)
    assert quotas(plan) == [("a", "c", 50), ("b", "c", 50)]
    assert plan.moves == 100
    assert plan.fair == {"a": 100.0, "b": 100.0, "c": 100.0}


def test_the_reason_names_the_node_that_is_off() -> None:
    plan = plan_by_load([standing("a", 100), standing("b", 100), standing("c", 700)], CONFIG)
    assert plan.reason == "c holds 700 of a fair 300: 133% off"
    assert plan.imbalance == pytest.approx(4 / 3)


def test_balanced_nodes_are_left_alone() -> None:
    plan = plan_by_load([standing("a", 100), standing("b", 101)], CONFIG)
    assert plan.quotas == ()
    assert plan.reason.startswith("balanced:")


def test_nothing_is_moved_inside_the_dead_band() -> None:
    assert plan_by_load([standing("a", 10_900), standing("b", 9_100)], CONFIG).quotas == ()
    assert quotas(plan_by_load([standing("a", 11_100), standing("b", 8_900)], CONFIG)) == [("a", "b", 1100)]


def test_small_shares_are_allowed_the_scatter_of_chance() -> None:
    """At a fair 100, being 20 off is within what random placement does."""
    assert plan_by_load([standing("a", 120), standing("b", 80)], CONFIG).quotas == ()


def test_inside_the_band_a_balance_is_finished_when_asked_for() -> None:
    plan = plan_by_load([standing("a", 120), standing("b", 80)], CONFIG, until=0.0)
    assert quotas(plan) == [("a", "b", 20)]
    assert "to the last connection" in plan.reason


def test_a_small_node_far_off_does_not_hide_a_large_one() -> None:
    """`small` is 60 % off, which is chance for a share of ten; `large` is 15 % off, which is not."""
    nodes = [
        standing("small", 16, weight=1),
        standing("large", 1150, weight=100),
        standing("other", 854, weight=101),
    ]
    assert ("large", "other", 150) in quotas(plan_by_load(nodes, CONFIG))


def test_shares_are_by_weight() -> None:
    plan = plan_by_load([standing("a", 300, weight=1), standing("b", 0, weight=2)], CONFIG)
    assert quotas(plan) == [("a", "b", 200)]


def test_a_draining_node_gives_away_everything() -> None:
    plan = plan_by_load([standing("a", 100), standing("b", 100), standing("c", 100, active=False)], CONFIG)
    assert quotas(plan) == [("c", "a", 50), ("c", "b", 50)]
    assert plan.reason == "c draining, 100 connections left"


def test_a_drain_ignores_the_dead_band() -> None:
    plan = plan_by_load([standing("a", 100), standing("b", 100), standing("c", 1, active=False)], CONFIG)
    assert plan.moves == 1


def test_while_others_drain_a_node_below_its_share_takes_from_them_alone() -> None:
    plan = plan_by_load([standing("a", 100), standing("b", 90), standing("c", 800, active=False)], CONFIG)
    assert {quota.donor for quota in plan.quotas} == {"c"}


def test_draining_nodes_stay_full_when_nobody_could_take_their_connections() -> None:
    plan = plan_by_load([standing("a", 100, active=False)], CONFIG)
    assert plan.quotas == ()
    assert "no active node" in plan.reason


def test_a_node_gives_away_only_what_it_holds() -> None:
    """The load of a target counts arrivals twice until their donor has heard of them: no reason to send any back."""
    nodes = [standing("old", 1000), standing("new", 1300, movable=1000)]
    assert plan_by_load(nodes, CONFIG).quotas == ()
    assert plan_by_load(nodes, CONFIG, until=0.0).quotas == ()


def test_who_was_moved_a_short_while_ago_is_not_planned_with() -> None:
    third = NodeSnapshot(name=NodeName("n3"), weight=1, load=1000, movable=1000, active=True, cooling=900)
    standings = [standing("n1", 1000), standing("n2", 1000), third, standing("n4", 0)]
    assert quotas(plan_by_load(standings, CONFIG)) == [("n1", "n4", 250), ("n2", "n4", 250), ("n3", "n4", 100)]
    plan = plan_by_load([third, standing("n4", 0)], CONFIG)
    assert plan.moves == 100
    frozen = NodeSnapshot(name=NodeName("n3"), weight=1, load=1000, movable=1000, active=True, cooling=1000)
    plan = plan_by_load([frozen, standing("n4", 0)], CONFIG)
    assert not plan.quotas
    assert "moved a short while ago" in plan.reason


def test_no_nodes_and_no_connections_are_no_trouble() -> None:
    assert plan_by_load([], CONFIG).quotas == ()
    assert plan_by_load([standing("a", 0), standing("b", 0)], CONFIG).quotas == ()


def test_shares_are_whole_connections_that_add_up() -> None:
    nodes = [standing("a", 0), standing("b", 0), standing("c", 0)]
    assert sorted(fair_shares(nodes, 100).values()) == [33, 33, 34]


def test_the_odd_connection_stays_with_the_fuller_node() -> None:
    assert fair_shares([standing("a", 33), standing("b", 34), standing("c", 33)], 100) == {"a": 33, "b": 34, "c": 33}


def test_matching_pairs_the_largest_first() -> None:
    pairs = match({A: 5, B: 10}, {C: 8, D: 7})
    assert pairs == (Quota(B, C, 8), Quota(B, D, 2), Quota(A, D, 5))


def test_matching_stops_where_one_side_is_out() -> None:
    assert match({A: 5}, {C: 2, D: 0}) == (Quota(A, C, 2),)
    assert match({A: -5}, {C: 2}) == ()


def test_misplaced_keys_become_quotas() -> None:
    plan = plan_by_key({B: {A: 2, C: 0}, A: {C: 3, A: 9}})
    assert quotas(plan) == [("a", "c", 3), ("b", "a", 2)]
    assert plan.reason == "5 connections hold keys of other nodes"


def test_no_misplaced_keys_no_moves() -> None:
    assert plan_by_key({A: {}, B: {C: 0}}).quotas == ()


# -- weights, limits


def test_a_weight_of_zero_has_a_share_of_nothing() -> None:
    nodes = [standing("a", 100), standing("b", 100), standing("c", 100, weight=0.0)]
    assert quotas(plan_by_load(nodes, CONFIG)) == [("c", "a", 50), ("c", "b", 50)]
    assert "no active node" in plan_by_load([standing("a", 100, weight=0.0)], CONFIG).reason


def test_a_node_gets_no_more_than_it_may_hold_and_the_others_share_the_rest() -> None:
    nodes = [standing("a", 600), standing("b", 0, room=100), standing("c", 0)]
    plan = plan_by_load(nodes, CONFIG)
    assert quotas(plan) == [("a", "c", 250), ("a", "b", 100)]
    assert plan.fair == {"a": 250.0, "b": 100.0, "c": 250.0}


def test_what_has_no_room_anywhere_stays_and_the_reason_says_so() -> None:
    nodes = [standing("a", 500, active=False), standing("b", 0, room=120), standing("c", 0, room=80)]
    plan = plan_by_load(nodes, CONFIG)
    assert quotas(plan) == [("a", "b", 120), ("a", "c", 80)]
    assert plan.reason == "a draining, 500 connections left; there is no room for 300"


def test_who_may_take_nobody_is_no_target_but_may_give() -> None:
    barred = standing("b", 500, room=0)
    assert quotas(plan_by_load([standing("a", 100), barred], CONFIG)) == [("b", "a", 200)]
    assert plan_by_load([standing("a", 500), standing("b", 100, room=0)], CONFIG).quotas == ()


# -- where a balance ends


def test_a_balance_ends_when_all_are_within_the_inner_band() -> None:
    nodes = [standing("a", 1025), standing("b", 975)]
    assert plan_by_load(nodes, CONFIG, until=CONFIG.stop_below).quotas == ()
    nodes = [standing("a", 1035), standing("b", 965)]
    plan = plan_by_load(nodes, CONFIG, until=CONFIG.stop_below)
    assert quotas(plan) == [("a", "b", 35)]
    assert plan.reason.endswith("balancing to within 3%")


def test_a_plan_has_a_cause_where_it_moves_anybody() -> None:
    assert plan_by_load([standing("a", 500), standing("b", 0)], CONFIG).cause == "imbalance"
    assert plan_by_load([standing("a", 500, active=False), standing("b", 0)], CONFIG).cause == "drain"
    assert plan_by_load([standing("a", 500), standing("b", 500)], CONFIG).cause == ""
    assert plan_by_key({A: {B: 1}}).cause == "keys"
    assert plan_by_key({}).cause == ""


# -- zones


def test_targets_in_the_donors_zone_come_first() -> None:
    nodes = [
        standing("a", 400, zone="east"), standing("b", 400, zone="west"),
        standing("c", 0, zone="west"), standing("d", 0, zone="east"),
    ]  # fmt: skip
    assert quotas(plan_by_load(nodes, CONFIG)) == [("a", "d", 200), ("b", "c", 200)]


def test_zones_are_crossed_only_for_what_lies_outside_the_tolerance() -> None:
    """East has 4 nodes of 1,000, west one that is new: fair is 800, and 5 % off is good enough for staying."""
    nodes = [standing(name, 1000, zone="east") for name in "abcd"] + [standing("e", 0, zone="west")]
    plan = plan_by_load(nodes, CONFIG)
    assert plan.moves == 760  # 800 less 5 % of 800
    exact = plan_by_load(nodes, CONFIG, until=0.0)
    assert exact.moves == 800


def test_inside_the_tolerance_nobody_crosses() -> None:
    nodes = [standing("a", 1045, zone="east"), standing("b", 955, zone="west")]
    assert plan_by_load(nodes, CONFIG, until=CONFIG.stop_below).quotas == ()


def test_a_drain_crosses_where_it_must() -> None:
    nodes = [standing("a", 100, zone="east", active=False), standing("b", 100, zone="west")]
    assert quotas(plan_by_load(nodes, CONFIG)) == [("a", "b", 100)]


# -- keys and room


def test_keys_are_moved_as_far_as_their_owners_have_room() -> None:
    plan = plan_by_key({A: {C: 30}, B: {C: 10, A: 5}}, {C: 20, A: 100})
    assert quotas(plan) == [("a", "c", 15), ("b", "a", 5), ("b", "c", 5)]
    assert plan.reason == "45 connections hold keys of other nodes; the owners of 20 have no room"
    nothing = plan_by_key({A: {C: 30}}, {C: 0})
    assert (nothing.quotas, nothing.cause) == ((), "")
    assert nothing.reason == "30 connections hold keys of other nodes; the owners of 30 have no room"


def test_keys_that_may_not_be_moved_now_are_not_called_well_placed() -> None:
    assert plan_by_key({A: {}}).reason == "every key is where the policy puts it"
    assert plan_by_key({A: {}}, staying="5 at a stay for now").reason == (
        "every key that may be moved is where the policy puts it; 5 at a stay for now"
    )

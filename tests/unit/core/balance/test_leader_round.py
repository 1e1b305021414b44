"""One leadership: waiting, beginning, finishing. The shell around it is tested in tests/unit/balancer."""

from collections import Counter

from ringway.core.balance.config import BalanceConfig
from ringway.core.balance.leader_round import LeaderRound
from ringway.core.balance.plan import Plan, Quota
from ringway.core.load import LoadView
from ringway.types import NodeName
from sample import GATEWAY, node_report, view_of

CONFIG = BalanceConfig(settle_s=2.0)
N1, N2 = NodeName("n1"), NodeName("n2")


def term_of(loads: dict[str, int]) -> tuple[LoadView, LeaderRound]:
    view = view_of(dict.fromkeys(loads, 1.0), loads=loads)
    return view, LeaderRound(CONFIG, view)


def test_a_term_begins_by_waiting_and_waits_again_after_each_change() -> None:
    view, term = term_of({"n1": 10})
    assert [term.settling(now) for now in (100.0, 101.9, 102.0)] == [True, True, False]
    view.reported(node_report("n2"), 103.0)
    assert [term.settling(now) for now in (103.0, 104.9, 105.0)] == [True, True, False]


def test_what_was_ordered_is_not_planned_again() -> None:
    _, term = term_of({"n1": 200, "n2": 0})
    plan = term.plan(0.0)
    assert plan.moves == 100
    term.ordered(Quota(N1, N2, 30), 0.0)
    assert term.plan(0.5).moves == 70


def test_a_balance_that_was_begun_is_finished_inside_the_dead_band() -> None:
    _, term = term_of({"n1": 200, "n2": 0})
    term.plan(0.0)
    term.ordered(Quota(N1, N2, 95), 0.0)
    assert term.plan(0.5).quotas == (Quota(N1, N2, 5),)
    term.ordered(Quota(N1, N2, 5), 0.5)
    assert term.plan(0.6).quotas == ()


def test_a_term_that_finds_it_inside_the_dead_band_begins_nothing() -> None:
    _, term = term_of({"n1": 105, "n2": 95})
    assert term.plan(0.0).quotas == ()


def test_when_it_is_finished_the_dead_band_counts_again() -> None:
    view, term = term_of({"n1": 200, "n2": 0})
    term.plan(0.0)
    term.ordered(Quota(N1, N2, 100), 0.0)
    view.reported(node_report("n1", 2, connections=105, moved={N2: 100}), 1.0)
    view.reported(node_report("n2", 2, connections=95), 1.0)
    assert term.plan(1.0).quotas == ()


def test_an_operator_may_begin_inside_the_dead_band() -> None:
    _, term = term_of({"n1": 105, "n2": 95})
    assert term.plan_exactly(0.0, begin=False).moves == 5
    assert term.plan(0.0).quotas == ()
    term.plan_exactly(0.0, begin=True)
    assert term.plan(0.0).moves == 5


def test_orders_keep_to_what_targets_say_they_can_take() -> None:
    view, term = term_of({"n1": 2000, "n2": 0})
    view.reported(node_report("n2", 2, accept_per_s=20.0), 1.0)
    assert term.settling(1.0)
    assert not term.settling(9.0)
    assert term.orders(term.plan(9.0), 1.0) == [Quota(N1, N2, 10)]


def test_by_key_the_nodes_know_what_is_in_flight() -> None:
    view, term = term_of({"n1": 60, "n2": 0})
    view.reported(node_report("n1", 2, connections=60, draining=True), 0.0)
    term.ordered(Quota(N1, N2, 30), 0.0, by_key=True)
    assert term.plan_by_key({}, 0.1).moves == 60


def test_by_key_unequal_loads_are_right() -> None:
    _, term = term_of({"n1": 200, "n2": 0})
    assert term.plan_by_key({N1: {}, N2: {}}, 0.0).quotas == ()


def test_by_key_a_draining_node_gives_its_other_connections_when_its_keys_are_gone() -> None:
    view, term = term_of({"n1": 100, "n2": 60, "n3": 10})
    view.reported(node_report("n2", 2, connections=60, draining=True), 0.0)
    first = term.plan_by_key({N2: {N1: 40}}, 0.0)
    assert (first.quotas, first.by_key) == ((Quota(N2, N1, 40),), True)
    rest = term.plan_by_key({}, 0.0)
    assert (rest.quotas, rest.by_key) == ((Quota(N2, NodeName("n3"), 60),), False)
    term.ordered(Quota(N2, NodeName("n3"), 20), 0.0)
    assert term.plan_by_key({}, 0.1).moves == 40


def test_a_balance_is_not_finished_while_donors_hold_places() -> None:
    """Arrivals counted twice hide what is missing: only when donors have heard of them can it be seen."""
    view, term = term_of({"n1": 200, "n2": 0})
    term.plan(0.0)
    term.ordered(Quota(N1, N2, 90), 0.0)
    view.reported(node_report("n2", 2, connections=90), 1.0)
    view.reported(node_report("n1", 2, connections=110, moved={N2: 90}, reserved={N2: 30}), 1.0)
    assert term.plan(1.0).quotas == ()
    view.reported(node_report("n1", 3, connections=110, moved={N2: 90}), 2.0)
    assert term.plan(2.0).quotas == (Quota(N1, N2, 10),)


def test_a_drain_waits_a_second_and_alone() -> None:
    """n3 is new, n2 drains: while the members settle, only what leaves n2 is ordered."""
    view, term = term_of({"n1": 100, "n2": 60, "n3": 0})
    term.settling(0.0)
    view.reported(node_report("n2", 2, connections=60, draining=True), 50.0)
    assert [term.settling(now) for now in (50.0, 50.9, 51.0)] == [True, True, False]
    plan = term.plan(51.0)
    assert {quota.donor for quota in plan.quotas} == {N1, N2}
    assert {quota.donor for quota in term.orders(plan, 1.0)} == {N2}
    assert not term.settling(52.0)
    assert {quota.donor for quota in term.orders(term.plan(52.0), 1.0)} == {N1, N2}


def test_a_balance_ends_inside_the_inner_band() -> None:
    _, term = term_of({"n1": 2000, "n2": 0})
    term.plan(0.0)
    term.ordered(Quota(N1, N2, 960), 0.0)
    assert term.plan(0.5).moves == 40
    term.ordered(Quota(N1, N2, 15), 0.5)
    assert term.plan(0.6).quotas == ()


def test_a_new_policy_alone_begins_no_balance() -> None:
    view, term = term_of({"n1": 200, "n2": 0})
    term.settling(0.0)
    term.rest()
    assert term.plan(1.0).quotas == ()
    view.reported(node_report("n1", 2, connections=200, draining=True), 2.0)
    term.settling(2.0)
    assert term.plan(2.0).cause == "drain"
    view.reported(node_report("n1", 3, connections=200), 3.0)
    term.settling(3.0)
    assert term.plan(3.0).cause == "imbalance"


def test_resting_it_empties_draining_nodes_all_the_same() -> None:
    view, term = term_of({"n1": 200, "n2": 0, "n3": 90})
    view.reported(node_report("n3", 2, connections=90, draining=True), 0.0)
    term.settling(0.0)
    term.rest()
    assert {quota.donor for quota in term.plan(1.0).quotas} == {"n3"}


def test_what_an_operator_asks_for_is_done_to_the_last_connection_in_spite_of_rest() -> None:
    _, term = term_of({"n1": 1005, "n2": 995})
    term.settling(0.0)
    term.rest()
    term.plan_exactly(0.0, begin=True)
    plan = term.plan(0.0)
    assert (plan.moves, plan.cause) == (5, "asked")


def test_by_key_what_is_ordered_takes_room() -> None:
    _, term = term_of({"n1": 60, "n2": 0})
    assert term.plan_by_key({N1: {N2: 50}}, 0.0, {N2: 30}).moves == 30
    term.ordered(Quota(N1, N2, 20), 0.0, by_key=True)
    assert term.plan_by_key({N1: {N2: 30}}, 0.5, {N2: 30}).moves == 10
    assert term.plan_by_key({N1: {N2: 30}}, 0.5).moves == 30


def test_by_key_owners_without_room_do_not_keep_a_node_from_being_emptied() -> None:
    view, term = term_of({"n1": 60, "n2": 0})
    view.reported(node_report("n1", 2, connections=60, draining=True), 0.0)
    plan = term.plan_by_key({N1: {N2: 60}}, 0.0, {N2: 0})
    assert (plan.moves, plan.by_key, plan.cause) == (60, False, "drain")


def test_moves_a_second_are_what_the_nodes_can_take() -> None:
    view, term = term_of({"n1": 2000, "n2": 2000})
    assert term.moves_per_s() == 120.0
    for name in (N1, N2):
        view.reported(node_report(name, 2, connections=2000, accept_per_s=40.0), 1.0)
    assert term.moves_per_s() == 40.0
    assert term.needs_s(Plan((Quota(N1, N2, 100),), "")) == 5.0
    assert term.reconnect_window_s() == 120.0


def test_a_drain_by_a_deadline_is_judged_and_paced() -> None:
    view, term = term_of({"n1": 540, "n2": 0})
    assert term.judge_drain(N1, 20.0, 0.0).why
    assert term.judge_drain(N1, 60.0, 0.0).why == ""
    view.reported(node_report("n1", 2, connections=540, draining=True, drain_left_s=60.0), 0.0)
    term.settling(0.0)
    assert not term.settling(2.0)
    ordered = [order.count for order in term.orders(term.plan(2.0), 1.0)]
    assert ordered == [10]


def test_a_hundred_new_nodes_of_a_thousand_are_filled_as_fast_as_they_can_take_it() -> None:
    """By 250 clients a second each, and no donor gives more than a tenth of what it could."""
    view = LoadView(GATEWAY)
    for index in range(1100):
        connections = 100_000 if index < 1000 else 0
        view.reported(node_report(f"n{index}", 1, connections=connections, accept_per_s=500.0), 0.0)
    term = LeaderRound(BalanceConfig(), view)
    term.settling(0.0)
    assert not term.settling(11.0)
    plan = term.plan(11.0)
    orders = [term.orders(plan, 1.0) for _ in range(3)][-1]
    got, given = Counter[NodeName](), Counter[NodeName]()
    for order in orders:
        got[order.target] += order.count
        given[order.donor] += order.count
    assert len(got) == 100
    assert all(abs(count - 250) <= 1 for count in got.values())
    assert max(given.values()) <= 50
    assert term.needs_s(plan) < 400


def test_who_stays_for_now_is_said_with_the_time_of_day_at_which_the_last_may_be_moved_again() -> None:
    view = LoadView(GATEWAY)
    for name in ("n1", "n2"):
        view.reported(node_report(name, connections=50, cooling=50, cool_down_s=1800.0), 0.0)
    term = LeaderRound(CONFIG, view, time_of=lambda at: f"[{at:g}]")
    term.settling(100.0)
    term.ordered(Quota(N1, N2, 5), 100.0)
    term.ordered(Quota(N2, N1, 5), 130.0)
    assert term.plan_by_key({}, 140.0).reason == (
        "every key that may be moved is where the policy puts it; 50 at n1, 50 at n2 stay for now: they are pinned, or "
        "stay until `move_cool_down_s` (half an hour, unless it is set) after their last move; the last moves there "
        "were ordered 10 s ago, and all may be moved again at [1930]"
    )


def test_no_time_of_day_is_said_of_nodes_that_do_not_say_their_cool_down() -> None:
    view = LoadView(GATEWAY)
    for name in ("n1", "n2"):
        view.reported(node_report(name, connections=50, cooling=50), 0.0)
    term = LeaderRound(CONFIG, view, time_of=lambda at: f"[{at:g}]")
    term.settling(100.0)
    term.ordered(Quota(N1, N2, 5), 100.0)
    assert term.plan_by_key({}, 140.0).reason.endswith("the last moves there were ordered 40 s ago")


def test_a_balance_that_waits_for_cool_downs_says_until_when() -> None:
    view = LoadView(GATEWAY)
    view.reported(node_report("n1", connections=200, cooling=200, cool_down_s=60.0), 0.0)
    view.reported(node_report("n2"), 0.0)
    term = LeaderRound(CONFIG, view, time_of=lambda at: f"[{at:g}]")
    term.settling(100.0)
    term.ordered(Quota(N2, N1, 200), 100.0)
    plan = term.plan(110.0)
    assert plan.waiting
    assert not plan.quotas
    assert plan.reason.endswith("the last moves there were ordered 10 s ago, and all may be moved again at [160]")

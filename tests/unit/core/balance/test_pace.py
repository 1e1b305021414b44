"""Pacing: what part of a plan to order now. Over time, for any plan: see tests/property/test_balance.py."""

import math
from collections import Counter
from dataclasses import replace

import pytest

from ringway.core.balance.config import BalanceConfig
from ringway.core.balance.pace import MoveLimits, Pacer, moves_per_s, plan_needs_s, safe_donors, safe_targets
from ringway.core.balance.plan import Plan, Quota
from ringway.core.load import LoadView
from ringway.core.load.arrival import Arrivals
from ringway.types import NodeName
from sample import GATEWAY, name, node_report

CONFIG = BalanceConfig(moves_share_per_s=0.02)
A, B, C = (NodeName(letter) for letter in "abc")


def limits(connections: int, accept: dict[NodeName, float] | None = None, config: BalanceConfig = CONFIG) -> MoveLimits:
    """What a cluster of so many connections allows, whose nodes say that they can take so many a second."""
    targets = {target: config.target_share * rate for target, rate in (accept or {}).items()}
    return MoveLimits(total=moves_per_s(connections, 3, config), targets=targets)


def plan(*quotas: tuple[NodeName, NodeName, int]) -> Plan:
    return Plan(tuple(Quota(*quota) for quota in quotas), "test")


def total(orders: list[Quota]) -> int:
    return sum(order.count for order in orders)


@pytest.mark.parametrize(("connections", "expected"), [(0, 5), (100, 5), (1000, 20), (20_000, 400), (1_000_000, 500)])
def test_the_budget_is_a_share_of_all_connections_within_bounds(connections: int, expected: float) -> None:
    assert moves_per_s(connections, 10, CONFIG) == expected


def test_the_ceiling_follows_the_cluster_unless_one_is_configured() -> None:
    for nodes, ceiling in ((1, 500), (10, 500), (20, 1000), (1100, 55_000)):
        assert moves_per_s(10**8, nodes, CONFIG) == ceiling
        assert moves_per_s(10**8, nodes, BalanceConfig(moves_per_s_max=300.0)) == 300
    assert moves_per_s(10**8, 2, BalanceConfig(moves_per_s_min=800.0)) == 800


@pytest.mark.parametrize(("nodes", "new"), [(2, 1), (10, 1), (100, 10), (1000, 100)])
def test_a_node_fills_as_fast_in_a_large_cluster_as_in_a_small_one(nodes: int, new: int) -> None:
    """Each takes 500 handshakes a second, so 250 moves; no donor gives more than a small part of its own."""
    pairs = [(name(donor), name(nodes + donor * new // nodes), 1000 * new) for donor in range(nodes)]
    bounds = MoveLimits(
        total=moves_per_s(100_000 * nodes, nodes + new, CONFIG),
        donor=CONFIG.donor_per_s_max,
        donors={name(donor): 500.0 for donor in range(nodes)},
        targets={name(nodes + target): 250.0 for target in range(new)},
    )
    moved: Counter[NodeName] = Counter()
    pacer = Pacer()
    for _ in range(4):
        for order in pacer.orders(plan(*pairs), bounds, 1.0):
            moved[order.target] += order.count
    assert len(moved) == new
    assert all(count == pytest.approx(1000, abs=1) for count in moved.values())
    assert plan_needs_s(plan(*pairs), bounds) == pytest.approx(1000 * nodes / 250, rel=0.1)


def test_a_second_gets_a_seconds_budget() -> None:
    assert Pacer().orders(plan((A, C, 1000)), limits(3000), 1.0) == [Quota(A, C, 60)]


def test_the_end_of_a_plan_is_ordered_at_once() -> None:
    assert Pacer().orders(plan((A, C, 7)), limits(3000), 1.0) == [Quota(A, C, 7)]


def test_pairs_share_the_budget_in_proportion() -> None:
    orders = Pacer().orders(plan((A, C, 300), (B, C, 100)), limits(4000), 1.0)
    assert set(orders) == {Quota(A, C, 60), Quota(B, C, 20)}


def test_slow_rates_are_exact_over_time() -> None:
    pacer, slow = Pacer(), limits(1, config=BalanceConfig(moves_per_s_min=0.3))
    ordered = [total(pacer.orders(plan((A, C, 1000)), slow, 1.0)) for _ in range(100)]
    assert sum(ordered) == 30
    assert max(ordered) == 1


def test_a_target_gets_no_more_than_its_share_of_what_it_can_take() -> None:
    orders = Pacer().orders(plan((A, C, 1000)), limits(100_000, {C: 40.0}), 1.0)
    assert orders == [Quota(A, C, 20)]


def test_a_slow_target_does_not_slow_the_others() -> None:
    orders = Pacer().orders(plan((A, B, 1000), (A, C, 1000)), limits(5000, {C: 4.0}), 1.0)
    assert set(orders) == {Quota(A, B, 50), Quota(A, C, 2)}


def test_many_small_pairs_do_not_come_due_together() -> None:
    """Fifty donors of which each may move 0.4 connections a second: all would reach 1 in the third second."""
    pacer = Pacer()
    fifty = plan(*((name(index), C, 20) for index in range(50)))
    ordered = [total(pacer.orders(fifty, limits(1000), 1.0)) for _ in range(40)]
    assert max(ordered) <= 21
    assert sum(ordered) == pytest.approx(40 * 20, abs=50)


def test_small_pairs_take_turns() -> None:
    pacer, slow = Pacer(), limits(1, config=BalanceConfig(moves_per_s_min=1.0))
    four = plan(*((name(index), C, 100) for index in range(4)))
    given: Counter[NodeName] = Counter()
    for _ in range(100):
        for order in pacer.orders(four, slow, 1.0):
            given[order.donor] += order.count
    assert set(given.values()) <= {24, 25}


def test_never_more_than_the_quota_is_ordered() -> None:
    pacer = Pacer()
    pacer.orders(plan((A, C, 1000)), limits(3000), 0.99)
    assert pacer.orders(plan((A, C, 1)), limits(3000), 10.0) == [Quota(A, C, 1)]


def test_an_empty_plan_orders_nothing_and_keeps_nothing_owed() -> None:
    pacer, slow = Pacer(), limits(1, config=BalanceConfig(moves_per_s_min=0.9))
    assert pacer.orders(plan((A, C, 10)), slow, 1.0) == []
    assert pacer.orders(plan(), slow, 1.0) == []
    assert pacer.orders(plan((A, C, 10)), slow, 1.0) == []


def test_a_donor_gives_no_more_than_it_may() -> None:
    bounds = MoveLimits(total=100.0, donor=30.0)
    ordered = Counter[NodeName]()
    pacer = Pacer()
    for _ in range(10):
        for order in pacer.orders(plan((A, C, 900), (B, C, 100)), bounds, 1.0):
            ordered[order.donor] += order.count
    assert ordered == {A: 300, B: 100}


def test_a_busy_donor_gives_less_and_slows_its_own_pairs_only() -> None:
    bounds = MoveLimits(total=100.0, donor=60.0, donors={A: 20.0, B: 900.0})
    assert set(Pacer().orders(plan((A, C, 1000), (B, C, 1000)), bounds, 1.0)) == {Quota(A, C, 20), Quota(B, C, 50)}


def test_a_node_that_drains_gives_as_fast_as_any_may() -> None:
    view = LoadView(GATEWAY)
    view.reported(node_report("a", 1, accept_per_s=40.0), 0.0)
    view.reported(node_report("b", 1, accept_per_s=40.0, draining=True), 0.0)
    view.reported(node_report("c", 1), 0.0)
    assert safe_donors(view.nodes.values()) == {A: 40.0}


def test_a_plan_takes_as_long_as_its_slowest_part() -> None:
    both = plan((A, C, 300), (B, C, 100))
    assert plan_needs_s(both, MoveLimits(total=50.0)) == 8.0
    assert plan_needs_s(both, MoveLimits(total=50.0, donors={A: 30.0})) == 10.0
    assert plan_needs_s(both, MoveLimits(total=50.0, donor=30.0, targets={C: 20.0})) == 20.0
    assert plan_needs_s(both, MoveLimits(total=50.0, targets={C: 0.0})) == math.inf
    assert plan_needs_s(plan(), MoveLimits(total=50.0)) == 0.0


def test_a_deadline_is_paced_evenly_and_comes_first() -> None:
    """Of 50 moves a second, the donor that is due gets its 40; the others share the rest."""
    bounds = MoveLimits(total=50.0, due={A: 40.0})
    assert set(Pacer().orders(plan((A, C, 1000), (B, C, 1000)), bounds, 1.0)) == {Quota(A, C, 40), Quota(B, C, 10)}


def test_a_deadline_slows_a_drain_down_as_well() -> None:
    assert Pacer().orders(plan((A, C, 1000)), MoveLimits(total=50.0, due={A: 10.0}), 1.0) == [Quota(A, C, 10)]


def test_a_deadline_does_not_leave_the_safe_rate_unless_forced() -> None:
    bounds = MoveLimits(total=50.0, donor=45.0, targets={C: 30.0}, due={A: 80.0})
    assert Pacer().orders(plan((A, C, 1000)), bounds, 1.0) == [Quota(A, C, 30)]
    forced = replace(bounds, forced=frozenset({A}))
    assert Pacer().orders(plan((A, C, 1000), (B, C, 1000)), forced, 1.0) == [Quota(A, C, 80)]


def test_two_deadlines_share_what_is_safe() -> None:
    bounds = MoveLimits(total=50.0, due={A: 60.0, B: 40.0})
    assert set(Pacer().orders(plan((A, C, 1000), (B, C, 1000)), bounds, 1.0)) == {Quota(A, C, 30), Quota(B, C, 20)}


def test_clients_that_come_by_themselves_are_left_their_part() -> None:
    """C takes 100 a second, moves may use half of that; 30 a second come by themselves."""
    view = LoadView(GATEWAY)
    arrivals = Arrivals()
    for seq in range(60):
        view.reported(node_report("c", seq, accept_per_s=100.0, accepted=30 * seq), float(seq))
        arrivals.observe(view.nodes.values(), float(seq))
    assert safe_targets(view.nodes.values(), arrivals, CONFIG) == {C: pytest.approx(20.0, abs=0.1)}


def test_a_flooded_target_gets_no_moves() -> None:
    view = LoadView(GATEWAY)
    arrivals = Arrivals()
    for seq in range(60):
        view.reported(node_report("c", seq, accept_per_s=100.0, accepted=80 * seq), float(seq))
        arrivals.observe(view.nodes.values(), float(seq))
    targets = safe_targets(view.nodes.values(), arrivals, CONFIG)
    assert Pacer().orders(plan((A, C, 1000)), MoveLimits(total=50.0, targets=targets), 1.0) == []

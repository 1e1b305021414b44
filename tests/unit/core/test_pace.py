"""Pacing: what part of a plan to order now. Over time, for any plan: see tests/property/test_balance.py."""

from collections import Counter

import pytest

from ringway.core.balance import BalanceConfig, Plan, Quota
from ringway.core.pace import Pacer, moves_per_s
from ringway.types import NodeName
from sample import name

CONFIG = BalanceConfig()
A, B, C = (NodeName(letter) for letter in "abc")
NO_LIMIT: dict[NodeName, float] = {}


def plan(*quotas: tuple[NodeName, NodeName, int]) -> Plan:
    return Plan(tuple(Quota(*quota) for quota in quotas), "test")


def total(orders: list[Quota]) -> int:
    return sum(order.count for order in orders)


@pytest.mark.parametrize(("connections", "expected"), [(0, 5), (100, 5), (1000, 20), (20_000, 400), (1_000_000, 500)])
def test_the_budget_is_a_share_of_all_connections_within_bounds(connections: int, expected: float) -> None:
    assert moves_per_s(connections, CONFIG) == expected


def test_a_second_gets_a_seconds_budget() -> None:
    assert Pacer(CONFIG).orders(plan((A, C, 1000)), 3000, NO_LIMIT, 1.0) == [Quota(A, C, 60)]


def test_the_end_of_a_plan_is_ordered_at_once() -> None:
    assert Pacer(CONFIG).orders(plan((A, C, 7)), 3000, NO_LIMIT, 1.0) == [Quota(A, C, 7)]


def test_pairs_share_the_budget_in_proportion() -> None:
    orders = Pacer(CONFIG).orders(plan((A, C, 300), (B, C, 100)), 4000, NO_LIMIT, 1.0)
    assert set(orders) == {Quota(A, C, 60), Quota(B, C, 20)}


def test_slow_rates_are_exact_over_time() -> None:
    pacer = Pacer(BalanceConfig(moves_per_s_min=0.3))
    ordered = [total(pacer.orders(plan((A, C, 1000)), 1, NO_LIMIT, 1.0)) for _ in range(100)]
    assert sum(ordered) == 30
    assert max(ordered) == 1


def test_a_target_gets_no_more_than_its_share_of_what_it_can_take() -> None:
    orders = Pacer(CONFIG).orders(plan((A, C, 1000)), 100_000, {C: 40.0}, 1.0)
    assert orders == [Quota(A, C, 20)]


def test_a_slow_target_does_not_slow_the_others() -> None:
    orders = Pacer(CONFIG).orders(plan((A, B, 1000), (A, C, 1000)), 5000, {C: 4.0}, 1.0)
    assert set(orders) == {Quota(A, B, 50), Quota(A, C, 2)}


def test_many_small_pairs_do_not_come_due_together() -> None:
    """Fifty donors of which each may move 0.4 connections a second: all would reach 1 in the third second."""
    pacer = Pacer(CONFIG)
    fifty = plan(*((name(index), C, 20) for index in range(50)))
    ordered = [total(pacer.orders(fifty, 1000, NO_LIMIT, 1.0)) for _ in range(40)]
    assert max(ordered) <= 21
    assert sum(ordered) == pytest.approx(40 * 20, abs=50)


def test_small_pairs_take_turns() -> None:
    pacer = Pacer(BalanceConfig(moves_per_s_min=1.0))
    four = plan(*((name(index), C, 100) for index in range(4)))
    given: Counter[NodeName] = Counter()
    for _ in range(100):
        for order in pacer.orders(four, 1, NO_LIMIT, 1.0):
            given[order.donor] += order.count
    assert set(given.values()) <= {24, 25}


def test_never_more_than_the_quota_is_ordered() -> None:
    pacer = Pacer(CONFIG)
    pacer.orders(plan((A, C, 1000)), 3000, NO_LIMIT, 0.99)
    assert pacer.orders(plan((A, C, 1)), 3000, NO_LIMIT, 10.0) == [Quota(A, C, 1)]


def test_an_empty_plan_orders_nothing_and_keeps_nothing_owed() -> None:
    pacer = Pacer(BalanceConfig(moves_per_s_min=0.9))
    assert pacer.orders(plan((A, C, 10)), 1, NO_LIMIT, 1.0) == []
    assert pacer.orders(plan(), 1, NO_LIMIT, 1.0) == []
    assert pacer.orders(plan((A, C, 10)), 1, NO_LIMIT, 1.0) == []

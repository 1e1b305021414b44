"""The pace of one node: by its share of placements, and by its rate."""

import pytest

from ringway.core.load.slow_start import RATE_BURST_S, SHARE_BURST, SlowStart


def cap(weight_share: float, accept_per_s: float = 0.0, gateways: int = 1) -> SlowStart:
    made = SlowStart()
    made.limit(weight_share, accept_per_s, gateways)
    return made


def test_a_node_may_be_ahead_of_its_share_by_a_burst() -> None:
    """A tenth of all weight: three tenths of placements, so one in 3.33."""
    node = cap(0.1)
    for _ in range(int(SHARE_BURST) + 1):
        assert node.share_ready() <= 100
        node.count_newcomer(100, 0.0)
    assert node.share_ready() == pytest.approx(100 + 10 / 3)


def test_its_share_comes_back_with_placements_not_with_time() -> None:
    node = cap(0.1)
    for _ in range(6):
        node.count_newcomer(100, 0.0)
    assert node.share_ready() > 103
    node.count_newcomer(104, 999.0)
    assert node.share_ready() > 104


def test_the_rate_is_half_of_what_it_takes_divided_among_gateways() -> None:
    node = cap(1.0, accept_per_s=100.0, gateways=2)
    assert node.interval_s == pytest.approx(0.04)
    taken = 0
    for step in range(1000):
        now = step / 1000
        if node.time_ready() <= now:
            node.count_newcomer(taken, now)
            taken += 1
    assert 25 <= taken <= 25 + max(1, RATE_BURST_S / 0.04) + 1


def test_a_node_that_says_nothing_of_its_rate_is_not_limited_by_it() -> None:
    node = cap(0.5)
    for _ in range(1000):
        node.count_newcomer(0, 0.0)
    assert node.time_ready() == -float("inf")


def test_a_node_with_a_third_of_the_weight_or_more_is_never_paced_by_its_share() -> None:
    node = cap(0.34)
    for placed in range(1000):
        assert node.share_ready() <= placed
        node.count_newcomer(placed + 1, 0.0)


def test_what_came_beyond_the_limit_leaves_no_debt() -> None:
    """When all are paced a node gets more than its rate; afterwards it is not shunned for that."""
    node = cap(0.01, accept_per_s=20.0)
    for _ in range(10_000):
        node.count_newcomer(0, 0.0)
    assert node.time_ready() <= 0.1
    assert node.share_ready() <= 100 / 3 + 1e-9


def test_what_could_not_be_sent_does_not_count() -> None:
    node = cap(0.1, accept_per_s=2.0)
    for _ in range(50):
        node.count_newcomer(0, 0.0)
        node.uncount_newcomer()
    assert node.share_ready() <= 0
    assert node.time_ready() <= 0.0
    node.uncount_newcomer()
    assert node.share_ready() <= 0


def test_a_limit_that_was_loosened_holds_nobody_back_for_the_old_one() -> None:
    node = cap(0.01, accept_per_s=0.2)
    for _ in range(9):
        node.count_newcomer(0, 0.0)
    node.limit(0.5, 100.0, 1)
    assert node.time_ready() <= 1.0
    assert node.share_ready() <= 5

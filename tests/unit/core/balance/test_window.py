"""The time in which the clients of a dead node should come back."""

import pytest

from ringway.core.balance.window import Host, reconnect_window_s


def test_it_is_what_the_others_can_take() -> None:
    """Of 30,000 clients, 3 others of 1,000 a second each take half of that: 1.2 x 30,000 / 1,500."""
    hosts = [Host(30_000, 1000.0)] + [Host(100, 1000.0)] * 3
    assert reconnect_window_s(hosts, 0.5) == pytest.approx(24.0)


def test_clients_that_come_by_themselves_have_their_part() -> None:
    hosts = [Host(30_000, 1000.0, 200.0)] + [Host(100, 1000.0, 100.0)] * 3
    assert reconnect_window_s(hosts, 0.5) == pytest.approx(36.0)


def test_a_flood_of_this_moment_does_not_make_it_endless() -> None:
    """Two nodes take the clients of a third that has died: who comes in that moment is told no more than twice."""
    calm = [Host(2500, 1400.0)] * 2
    flooded = [Host(2500, 1400.0, 900.0)] * 2
    assert reconnect_window_s(flooded, 0.5) == pytest.approx(2 * reconnect_window_s(calm, 0.5))


def test_arrivals_keep_to_what_the_others_may_be_given() -> None:
    hosts = [Host(30_000, 1000.0)] + [Host(100, 1000.0)] * 3
    assert 30_000 / reconnect_window_s(hosts, 0.5) <= 0.5 * 3000


def test_it_has_bounds() -> None:
    assert reconnect_window_s([], 0.5) == 1.0
    assert reconnect_window_s([Host(0, 100.0), Host(0, 100.0)], 0.5) == 1.0
    assert reconnect_window_s([Host(10, 1000.0), Host(10, 1000.0)], 0.5) == 1.0
    assert reconnect_window_s([Host(1_000_000, 10.0)] * 2, 0.5) == 300.0
    assert reconnect_window_s([Host(100, 0.0)] * 2, 0.5) == 300.0


def test_one_alone_takes_its_own_back() -> None:
    assert reconnect_window_s([Host(1000, 100.0)], 0.5) == pytest.approx(24.0)
    assert reconnect_window_s([Host(1000, 100.0), Host(500, 0.0)], 0.5) == pytest.approx(24.0), "the other drains"

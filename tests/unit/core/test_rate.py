"""The token bucket."""

import pytest

from ringway.core.rate import AddressRates, TokenBucket


def test_it_begins_full_and_allows_a_burst() -> None:
    bucket = TokenBucket(rate_per_s=1.0, burst=3, now=0.0)
    assert [bucket.take_tokens(0.0) for _ in range(4)] == [True, True, True, False]


def test_it_refills_at_its_rate() -> None:
    bucket = TokenBucket(rate_per_s=2.0, burst=2, now=0.0)
    bucket.take_tokens(0.0, 2)
    assert not bucket.take_tokens(0.4)
    assert bucket.take_tokens(0.5)


def test_it_never_holds_more_than_the_burst() -> None:
    bucket = TokenBucket(rate_per_s=10.0, burst=2, now=0.0)
    assert [bucket.take_tokens(1000.0) for _ in range(3)] == [True, True, False]


def test_a_refusal_takes_nothing() -> None:
    bucket = TokenBucket(rate_per_s=1.0, burst=5, now=0.0)
    assert not bucket.take_tokens(0.0, 6)
    assert bucket.take_tokens(0.0, 5)


def test_a_clock_that_steps_back_gives_nothing() -> None:
    bucket = TokenBucket(rate_per_s=1.0, burst=1, now=10.0)
    bucket.take_tokens(10.0)
    assert not bucket.take_tokens(5.0)


def count_taken(rates: AddressRates, address: str, now: float, tries: int = 1000) -> int:
    return sum(rates.take_unit(address, now, 0.1, 2.0) == 0.0 for _ in range(tries))


def test_each_address_has_a_rate_of_its_own() -> None:
    rates = AddressRates()
    assert count_taken(rates, "a", 0.0) == 20
    assert count_taken(rates, "b", 0.0) == 20
    assert count_taken(rates, "a", 1.0) == 10
    assert rates.backlog_s("a", 1.0) == pytest.approx(2.0)
    assert rates.backlog_s("never", 1.0) == 0.0


def test_whoever_is_refused_is_told_when_it_may_come() -> None:
    rates = AddressRates()
    count_taken(rates, "a", 0.0)
    wait_s = rates.take_unit("a", 0.0, 0.1, 2.0)
    assert wait_s == pytest.approx(0.1)
    assert rates.take_unit("a", wait_s, 0.1, 2.0) == 0.0


def test_addresses_that_have_paid_are_forgotten_and_the_table_is_bounded() -> None:
    rates = AddressRates(size_max=100)
    for number in range(1000):
        rates.take_unit(f"a{number}", 0.0, 0.1, 2.0)
        count_taken(rates, "greedy", 0.0, 1)
    assert len(rates) <= 101
    assert rates.backlog_s("greedy", 0.0) == pytest.approx(2.0, abs=0.1), "whoever goes on keeps its entry"
    for number in range(200):
        rates.take_unit(f"b{number}", 100.0 + number, 0.1, 2.0)
    assert len(rates) <= 2


def test_one_can_be_had_where_the_burst_is_shorter_than_the_interval() -> None:
    rates = AddressRates()
    assert rates.take_unit("a", 0.0, 2.0, 0.5) == 0.0
    assert rates.take_unit("a", 0.0, 2.0, 0.5) > 0.0
    assert rates.take_unit("a", 2.0, 2.0, 0.5) == 0.0

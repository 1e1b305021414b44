"""The steps of the search for the highest rate, and its end."""

import pytest

from rate_search import LEAST, PRECISION, TRIES, RateSearch


def search_for(limit: float, first: float) -> tuple[RateSearch, list[float]]:
    """Search where everything up to `limit` passes; return the search and the rates that it tried."""
    search, tried = RateSearch(first), []
    while search.next_rate is not None:
        tried.append(search.next_rate)
        search.record(search.next_rate <= limit)
    return search, tried


def test_it_doubles_until_a_rate_fails_twice_then_bisects() -> None:
    search, tried = search_for(5_500, 1_000)
    assert tried[:7] == [1_000, 2_000, 4_000, 8_000, 8_000, 6_000, 6_000]
    assert tried[7:] == [5_000, 5_500]
    assert search.highest == 5_500


@pytest.mark.parametrize("limit", [1_000, 1_001, 1_999, 2_000, 77_777, 130_000])
def test_the_result_passes_and_is_within_the_precision(limit: float) -> None:
    search, tried = search_for(limit, 1_000)
    assert limit / PRECISION <= search.highest <= limit
    assert len(tried) < 25


def test_it_goes_down_where_the_first_rate_fails() -> None:
    search, _ = search_for(130, 1_000)
    assert 130 / PRECISION <= search.highest <= 130


def test_it_ends_where_nothing_passes() -> None:
    search, tried = search_for(0, 1_000)
    assert search.highest == 0
    assert tried[-1] <= LEAST


def test_one_failure_alone_does_not_end_a_rate() -> None:
    search = RateSearch(1_000)
    for _ in range(TRIES - 1):
        search.record(False)
    assert search.next_rate == 1_000
    search.record(True)
    assert search.next_rate == 2_000
    for _ in range(TRIES - 1):  # the failures of another rate do not count here
        search.record(False)
    assert search.next_rate == 2_000

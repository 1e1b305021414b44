"""The token bucket."""

from ringway.core.rate import TokenBucket


def test_it_begins_full_and_allows_a_burst() -> None:
    bucket = TokenBucket(rate_per_s=1.0, burst=3, now=0.0)
    assert [bucket.take(0.0) for _ in range(4)] == [True, True, True, False]


def test_it_refills_at_its_rate() -> None:
    bucket = TokenBucket(rate_per_s=2.0, burst=2, now=0.0)
    bucket.take(0.0, 2)
    assert not bucket.take(0.4)
    assert bucket.take(0.5)


def test_it_never_holds_more_than_the_burst() -> None:
    bucket = TokenBucket(rate_per_s=10.0, burst=2, now=0.0)
    assert [bucket.take(1000.0) for _ in range(3)] == [True, True, False]


def test_a_refusal_takes_nothing() -> None:
    bucket = TokenBucket(rate_per_s=1.0, burst=5, now=0.0)
    assert not bucket.take(0.0, 6)
    assert bucket.take(0.0, 5)


def test_a_clock_that_steps_back_gives_nothing() -> None:
    bucket = TokenBucket(rate_per_s=1.0, burst=1, now=10.0)
    bucket.take(10.0)
    assert not bucket.take(5.0)

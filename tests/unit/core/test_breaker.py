"""Circuit breaker: when it opens, who tries, and what closes it."""

from hypothesis import given
from hypothesis import strategies as st

from ringway.core.breaker import Breaker, BreakerState


def call(breaker: Breaker, now: float, *, failed: bool) -> bool:
    """Make one call; return False if it was refused."""
    phase = breaker.admit(now)
    if phase:
        breaker.on_result(phase, now, failed=failed)
    return bool(phase)


def opened(failures: int = 3) -> Breaker:
    breaker = Breaker(failures, 5.0)
    for _ in range(failures):
        assert call(breaker, 10.0, failed=True)
    assert breaker.state is BreakerState.OPEN
    return breaker


def test_it_opens_after_failures_in_a_row_and_then_refuses() -> None:
    breaker = opened()
    assert breaker.refuses(14.9)
    assert not breaker.admit(14.9)


def test_it_opens_when_half_of_the_calls_fail() -> None:
    breaker = Breaker(3, 5.0)
    for number in range(6):
        assert call(breaker, 1.0, failed=number % 2 == 0) or breaker.state is BreakerState.OPEN
    assert breaker.state is BreakerState.OPEN


def test_it_stays_closed_while_fewer_than_half_fail() -> None:
    breaker = Breaker(3, 5.0)
    for number in range(300):
        assert call(breaker, 1.0, failed=number % 3 == 0)


def test_one_probe_goes_through_and_its_success_closes() -> None:
    breaker = opened()
    probe = breaker.admit(15.0)
    assert probe
    assert not breaker.admit(15.0)
    breaker.on_result(probe, 15.1, failed=False)
    assert breaker.state is BreakerState.CLOSED
    assert breaker.admit(15.1)


def test_a_failed_probe_opens_it_again_for_the_whole_time() -> None:
    breaker = opened()
    breaker.on_result(breaker.admit(16.0), 17.0, failed=True)
    assert breaker.refuses(21.9)
    assert breaker.admit(22.0)


def test_a_probe_that_is_given_up_leaves_its_place_to_the_next_call() -> None:
    breaker = opened()
    breaker.on_given_up(breaker.admit(15.0))
    assert breaker.admit(15.0)


def test_results_of_an_earlier_phase_do_not_count() -> None:
    breaker = Breaker(2, 5.0)
    slow = [breaker.admit(1.0) for _ in range(4)]
    for phase in slow:
        breaker.on_result(phase, 2.0, failed=True)
    probe = breaker.admit(7.0)
    for phase in slow:
        breaker.on_result(phase, 8.0, failed=True)
    assert breaker.state is BreakerState.PROBING
    breaker.on_result(probe, 8.0, failed=False)
    assert breaker.state is BreakerState.CLOSED


def test_without_a_bound_it_never_opens() -> None:
    breaker = Breaker(0, 5.0)
    assert all(call(breaker, 1.0, failed=True) for _ in range(1000))


@given(st.lists(st.tuples(st.booleans(), st.floats(0, 3)), max_size=200), st.integers(1, 5))
def test_it_never_refuses_for_longer_than_its_time(calls: list[tuple[bool, float]], failures: int) -> None:
    breaker, now = Breaker(failures, 2.0), 0.0
    for failed, step in calls:
        now += step
        if not call(breaker, now, failed=failed):
            assert breaker.state is BreakerState.OPEN
            assert now < breaker.opened_at + 2.0

import pytest

from ringway.node.connection.latency import HALF_WINDOW_S, Latency

NOW = 100.0


def about(length_s: float) -> object:
    """The bucket's bound is at most 9.1 % above what was counted, and never below."""
    return pytest.approx(length_s * 1.0453, rel=0.0455)


@pytest.fixture
def latency() -> Latency:
    return Latency(NOW)


def test_none_is_zero(latency: Latency) -> None:
    assert latency.p99(NOW) == 0.0


@pytest.mark.parametrize("length_s", [2e-5, 0.00037, 0.002, 0.05, 1.0, 7.7, 299.0])
def test_a_length_is_told_to_9_percent_and_not_too_short(latency: Latency, length_s: float) -> None:
    latency.add(length_s)
    assert latency.p99(NOW) == about(length_s)
    assert latency.p99(NOW) >= length_s


@pytest.mark.parametrize(("length_s", "told"), [(0.0, 1e-5), (-1.0, 1e-5), (1e9, 307.6)])
def test_what_is_off_the_scale_is_at_its_end(latency: Latency, length_s: float, told: float) -> None:
    latency.add(length_s)
    assert latency.p99(NOW) == pytest.approx(told, rel=0.01)


@pytest.mark.parametrize(("count", "nearest_rank"), [(1, 1), (2, 2), (10, 10), (100, 99), (200, 198), (1000, 990)])
def test_it_is_what_99_of_100_did_not_exceed(latency: Latency, count: int, nearest_rank: int) -> None:
    for length in range(count, 0, -1):
        latency.add(length / 100)
    assert latency.p99(NOW) == about(nearest_rank / 100)


def test_it_is_of_the_last_seconds(latency: Latency) -> None:
    latency.add(1.0)
    assert latency.p99(NOW + HALF_WINDOW_S) == about(1.0)
    latency.add(0.1)
    assert latency.p99(NOW + 1.9 * HALF_WINDOW_S) == about(1.0)
    assert latency.p99(NOW + 2.0 * HALF_WINDOW_S) == about(0.1)
    assert latency.p99(NOW + 3.0 * HALF_WINDOW_S) == 0.0


def test_after_a_long_silence_nothing_is_told(latency: Latency) -> None:
    latency.add(1.0)
    assert latency.p99(NOW + 100 * HALF_WINDOW_S) == 0.0

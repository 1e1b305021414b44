import pytest

from ringway.node.latency import KEPT, WINDOW_S, Latency


def test_nothing_lately_is_zero() -> None:
    latency = Latency()
    assert latency.p99(100.0) == 0.0
    latency.add(99.0, 100.0)
    assert latency.p99(100.0 + WINDOW_S) == 1.0
    assert latency.p99(100.1 + WINDOW_S) == 0.0


@pytest.mark.parametrize(("count", "nearest_rank"), [(1, 1), (2, 2), (10, 10), (100, 99), (200, 198), (1000, 990)])
def test_it_is_what_99_of_100_did_not_exceed(count: int, nearest_rank: int) -> None:
    latency = Latency()
    for length in range(count, 0, -1):
        latency.add(100.0 - length, 100.0)
    assert latency.p99(100.0) == nearest_rank


def test_what_is_kept_is_bounded_and_the_newest() -> None:
    latency = Latency()
    for _ in range(KEPT):
        latency.add(99.0, 100.0)
    for _ in range(KEPT):
        latency.add(100.0, 100.5)
    assert latency.p99(101.0) == 0.5
    assert len(latency._kept) == KEPT

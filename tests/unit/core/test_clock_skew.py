"""Clock skew of members, measured through delays that vary."""

import random

import pytest

from ringway.core.clock_skew import (
    CORRECTED_S_MAX,
    SAMPLES,
    SURE,
    TOLD_S,
    ClockSkews,
    SkewNews,
    describe_skew,
    why_barred,
)
from ringway.types import Incarnation, NodeName

LIFE, NEXT_LIFE = Incarnation("0000000a"), Incarnation("0000000b")
N1 = NodeName("n1")


class Bench:
    def __init__(self) -> None:
        self.skews = ClockSkews()
        self.now = 1000.0
        self.rng = random.Random(3)

    def hear(self, skew_s: float, delay_s: float = 0.0, name: str = "n1", life: Incarnation = LIFE) -> SkewNews | None:
        self.now += 1.0
        return self.skews.heard(NodeName(name), life, self.now - delay_s + skew_s, self.now)


@pytest.mark.parametrize("skew_s", [-30.0, -0.5, 0.0, 0.5, 30.0])
def test_delays_do_not_count_as_skew(skew_s: float) -> None:
    bench = Bench()
    for _ in range(20):
        for _ in range(SAMPLES - 1):
            bench.hear(skew_s, bench.rng.uniform(0.0, 8.0))
        bench.hear(skew_s, bench.rng.uniform(0.0, 0.05))
    assert bench.skews.skew_s(N1) == pytest.approx(skew_s, abs=0.051)


def test_a_large_skew_is_told_once_and_when_it_is_over() -> None:
    bench = Bench()
    assert bench.hear(1.9) is None
    assert bench.hear(3.0) == SkewNews(N1, pytest.approx(3.0), True)  # type: ignore[arg-type]
    assert bench.hear(5.0) is None
    news = [bench.hear(0.1) for _ in range(3 * SAMPLES)]
    assert [each for each in news if each] == [SkewNews(N1, pytest.approx(0.1), False)]  # type: ignore[arg-type]
    assert all(bench.hear(skew_s) is None for skew_s in (TOLD_S - 0.1, TOLD_S / 2) * SAMPLES)


def test_late_messages_from_a_right_clock_are_no_skew() -> None:
    bench = Bench()
    assert bench.hear(0.0, 9.0) is None
    assert bench.skews.skew_s(N1) == 0.0
    bench.hear(0.0, 0.01)
    assert all(bench.hear(0.0, delay_s) is None for delay_s in (9.0, 9.0, 9.0, 0.01) * 10)


@pytest.mark.parametrize("heard", range(2 * SAMPLES + 1))
@pytest.mark.parametrize("stopped_s", [5, 20, 100])
def test_reports_that_waited_while_the_receiver_was_stopped_are_no_skew(heard: int, stopped_s: int) -> None:
    bench = Bench()
    for _ in range(heard):
        bench.hear(0.0, 0.01)
    bench.now += stopped_s
    for waited_s in range(stopped_s, 0, -1):
        assert bench.skews.heard(N1, LIFE, bench.now - waited_s, bench.now) is None
        assert abs(bench.skews.skew_s(N1)) < 0.1
    assert all(bench.hear(0.0, 0.01) is None for _ in range(3 * SAMPLES))
    assert abs(bench.skews.skew_s(N1)) < 0.1


def test_a_clock_of_the_receiver_that_is_set_back_does_not_hold_the_measuring_up() -> None:
    bench = Bench()
    for _ in range(SAMPLES):
        bench.hear(0.0)
    bench.now -= 3600.0
    for _ in range(3 * SAMPLES):
        bench.hear(-20.0)
    assert bench.skews.skew_s(N1) == pytest.approx(-20.0)


def test_a_new_incarnation_and_a_member_that_left_are_measured_anew() -> None:
    bench = Bench()
    bench.hear(40.0)
    bench.hear(0.0, life=NEXT_LIFE)
    assert bench.skews.skew_s(N1) == pytest.approx(0.0)
    bench.skews.forget(N1)
    assert bench.skews.skew_s(N1) == 0.0


@pytest.mark.parametrize(
    ("skews", "own"),
    [
        ([5.0], 0.0),
        ([5.0, 0.0], 0.0),
        ([5.0, 6.0], 6.0),
        ([5.0, 6.0, 0.0], 6.0),
        ([5.0, -6.0, 0.0, 0.0], 0.0),
        ([-5.0, -6.0, -7.0, 0.0], -6.0),
    ],
)
def test_if_most_members_differ_in_one_direction_the_own_clock_is_wrong(skews: list[float], own: float) -> None:
    bench = Bench()
    for index, skew_s in enumerate(skews * SURE):
        index %= len(skews)
        bench.hear(skew_s, name=f"n{index}")
    assert bench.skews.own_fault_s() == pytest.approx(own)


def test_words_name_the_size_the_direction_and_the_remedy() -> None:
    assert describe_skew(30.04) == (
        "its clock is 30.0 s ahead of this gateway's; have NTP set the clocks of the machines"
    )
    assert "12.0 s behind this gateway's" in describe_skew(-12.0)
    assert why_barred(CORRECTED_S_MAX) == ""
    assert "61.0 s behind" in why_barred(-61.0)

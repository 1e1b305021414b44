"""Laws of the virtual queue."""

from hypothesis import given
from hypothesis import strategies as st

from ringway.core.admission_slots import AWAY_S_MAX, BURST_S, AdmissionSlots

ARRIVALS = st.lists(st.floats(0.0, 5.0), min_size=1, max_size=300)
RATES = st.floats(0.5, 500.0)
HORIZONS = st.floats(0.1, 60.0)


def times(gaps: list[float], scale: float) -> list[float]:
    """When clients ask: many at one time, some after a pause."""
    at, asked = 0.0, []
    for gap in gaps:
        at += gap * scale if gap > 4.0 else 0.0
        asked.append(at)
    return asked


@given(ARRIVALS, RATES, HORIZONS)
def test_slots_begin_no_faster_than_the_rate_whoever_asks(gaps: list[float], per_s: float, horizon_s: float) -> None:
    queue = AdmissionSlots()
    queue.per_s = per_s
    comes = []
    for now in times(gaps, 1.0):
        wait_s = queue.take_slot(now, horizon_s)
        if wait_s is not None:
            assert 0.0 <= wait_s <= horizon_s
            comes.append(now + wait_s)
    for first, one in enumerate(comes):
        for last in range(first, len(comes)):
            span = comes[last] - one
            assert last - first + 1 <= per_s * (span + BURST_S) + 1 + 1e-6


@given(ARRIVALS, RATES, HORIZONS)
def test_who_asks_first_comes_first(gaps: list[float], per_s: float, horizon_s: float) -> None:
    queue = AdmissionSlots()
    queue.per_s = per_s
    asked = times(gaps, 1.0)
    comes = [now + wait_s for now in asked if (wait_s := queue.take_slot(now, horizon_s)) is not None]
    assert comes == sorted(comes)


@given(ARRIVALS, RATES, HORIZONS)
def test_those_turned_away_are_told_a_time_within_bounds(gaps: list[float], per_s: float, horizon_s: float) -> None:
    queue = AdmissionSlots()
    queue.per_s = per_s
    for now in times(gaps, 1.0):
        if queue.take_slot(now, horizon_s) is None:
            away_s = queue.turn_away(now, horizon_s)
            assert horizon_s / 2 - 1e-9 <= away_s <= max(AWAY_S_MAX, horizon_s / 2) + 1e-9

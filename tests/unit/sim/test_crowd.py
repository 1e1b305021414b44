"""The crowd: who is drawn for a move, and how long each kind takes."""

import numpy as np
import pytest

from ringway.sim.crowd import AWAY, JITTERLESS_S, Crowd, draw_keys


def crowd(size: int = 1000, **shares: float) -> Crowd:
    return Crowd(np.arange(size), shares, np.random.default_rng(1))


@pytest.mark.parametrize("count", [5, 90, 100, 500])
def test_only_those_are_drawn_who_may_be_moved(count: int) -> None:
    made = crowd(20_000)
    made.node[:] = np.arange(20_000) % 100
    made.leaving[: 20_000 // 4] = True
    made.moved_at[20_000 // 4 : 20_000 // 2] = 50.0
    drawn = made.draw(7, count, 200, moved_before=40.0)
    assert len(drawn) == min(count, 100)
    assert len(set(drawn.tolist())) == len(drawn)
    assert (made.node[drawn] == 7).all()
    assert (drawn >= 10_000).all()


def test_counts() -> None:
    made = crowd(6)
    made.node[:] = [0, 0, 2, AWAY, 2, 2]
    made.moved_at[:] = [5, 9, 9, 9, 1, 9]
    assert made.at(2).tolist() == [2, 4, 5]
    assert made.cooling(4, since=5.0).tolist() == [1, 0, 2, 0]


def test_kinds_differ_in_how_they_come_back() -> None:
    made = crowd(plain=0.25, jitterless=0.25, wayward=0.25)
    everybody = np.arange(1000)
    moved = made.move_delays(everybody)
    assert set(moved[made.kind == 3]) == {JITTERLESS_S}
    assert moved[made.kind == 0].max() < 0.1 < moved[made.kind == 2].max() <= 0.2
    assert moved[made.kind == 4].max() > 20
    first, second = made.return_delays(everybody), made.return_delays(everybody)
    assert first[made.kind == 0].max() <= 0.5 < second[made.kind == 0].max() <= 1.0


def test_rooms_are_as_unequal_as_zipf_says() -> None:
    keys = draw_keys(100_000, 100, 1.0, np.random.default_rng(1))
    counts = np.bincount(keys, minlength=100)
    assert counts[0] / counts[9] == pytest.approx(10, rel=0.1)
    assert len(set(draw_keys(50, 0, 1.0, np.random.default_rng(1)).tolist())) == 50

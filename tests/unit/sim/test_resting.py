"""Clients that rest: classes are drawn from as single clients would be."""

from math import inf

import numpy as np
import pytest

from ringway.sim.resting import RestingClients

NEVER, ONCE = (0, 0), (0, 1)


def resting(*some: tuple[float, tuple[int, int], int]) -> RestingClients:
    clients = RestingClients()
    for moved_at, sort, count in some:
        clients.add(moved_at, sort, count)
    return clients


def dice(seed: int = 1) -> np.random.Generator:
    return np.random.default_rng(seed)


def test_only_those_are_taken_who_were_moved_long_ago() -> None:
    clients = resting((-inf, NEVER, 10), (5.0, ONCE, 4), (6.0, ONCE, 3))
    assert clients.take(100, 5.0, dice()) == [(-inf, NEVER, 10), (5.0, ONCE, 4)]
    assert (clients.count, clients.lately) == (3, 3)
    assert clients.take(100, 5.0, dice()) == []
    assert clients.take(2, inf, dice()) == [(6.0, ONCE, 2)]
    assert (clients.count, clients.lately) == (1, 1)


def test_all_are_equally_likely() -> None:
    clients = resting((-inf, NEVER, 700), (5.0, ONCE, 200), (6.0, ONCE, 100))
    taken = [clients.take(100, inf, dice(seed)) for seed in range(5)]
    assert [sum(number for _, _, number in some) for some in taken] == [100] * 5
    assert clients.count == 500
    assert clients.lately == pytest.approx(150, abs=40)


def test_after_a_while_it_does_not_matter_when_a_client_was_moved() -> None:
    clients = resting((-inf, ONCE, 1), (5.0, ONCE, 4), (5.0, ONCE, 2), (6.0, ONCE, 3))
    clients.cool(5.0)
    assert (clients.count, clients.lately) == (10, 3)
    assert clients.take(10, 0.0, dice()) == [(-inf, ONCE, 7)]

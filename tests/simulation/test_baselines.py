"""Costs of the baselines without directed moves, in the same cluster and by the same measures."""

import pytest

from simulation.cluster import run


def test_modulo_moves_nearly_everybody() -> None:
    result = run("!modulo", scenario="scale-out")
    assert result.moves / result.clients > 0.85
    assert result.collateral > 0.75 * result.moves


@pytest.mark.parametrize("way", ["!reconnect-all", "!restart-all"])
def test_reconnecting_everybody_is_a_storm(way: str) -> None:
    result = run(way, scenario="scale-out", connections=50_000, handshakes_per_s=250)
    assert result.moves == result.clients
    assert result.peak_over_capacity > 2
    assert result.away_peak > 0.9 * result.clients
    assert result.refused + result.turned_away > result.clients
    assert result.course.away[-1] == 0  # in the end everybody is back


def test_shedding_without_a_target_moves_many_times_as_many() -> None:
    result = run("!shed", scenario="scale-out")
    assert result.moves > 5 * result.minimum
    assert result.moves_of_one_client_max > 2


def test_ours_is_none_of_this() -> None:
    result = run(scenario="scale-out", connections=100_000)
    assert result.peak_over_capacity <= 0.51
    assert result.away_peak < 0.001 * result.clients
    assert result.refused == result.turned_away == 0

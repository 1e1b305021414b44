"""Questions of placement alone."""

import pytest

from ringway.sim import placement
from ringway.sim.placement import place_keys
from ringway.types import NodeName

EQUAL = {NodeName(f"node-{number}"): 1.0 for number in range(10)}


@pytest.mark.parametrize("table", ["rendezvous", "ring"])
def test_tables_move_no_key_between_old_nodes(table: str) -> None:
    answer = place_keys(table, 200_000, EQUAL, 1)
    assert answer.collateral_on_join == answer.collateral_on_leave == 0
    assert answer.moved_on_join == pytest.approx(answer.least_on_join, rel=0.1)
    assert answer.moved_on_leave == pytest.approx(answer.least_on_leave, rel=0.1)
    assert not answer.sampled


def test_modulo_moves_nearly_all() -> None:
    answer = place_keys("modulo", 200_000, EQUAL, 1)
    assert answer.moved_on_join == pytest.approx(10 / 11, rel=0.01)
    assert answer.collateral_on_join == pytest.approx(9 / 11, rel=0.01)


def test_policies_without_keys_place_a_sample_and_say_so(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(placement, "SAMPLE_MAX", 10_000)
    answer = place_keys("weighted-round-robin", 10**9, {NodeName("a"): 1.0, NodeName("b"): 3.0}, 1)
    assert answer.sampled
    assert answer.asked == 10_000
    assert answer.worst_error < 0.001
    assert answer.moved_on_join is None

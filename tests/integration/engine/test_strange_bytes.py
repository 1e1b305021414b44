"""Mutated messages of a stranger at the engine: each ends in a counted refusal; `scripts/fuzz members` runs longer."""

from pathlib import Path

import pytest

from fuzz.members import fire
from support.fleet import make_fleet

MESSAGES = 2000


@pytest.mark.parametrize("kind", ["nats", "redis"])
async def test_a_stranger_at_the_engine_causes_nothing_but_refusals(kind: str, tmp_path: Path) -> None:
    fleet = make_fleet(kind, tmp_path)
    try:
        fleet.start()
        outcome = await fire(fleet.url, MESSAGES, seed=1)
    finally:
        fleet.kill_all()
    assert outcome.faults == []
    assert outcome.sent == MESSAGES
    assert outcome.refused > MESSAGES // 4

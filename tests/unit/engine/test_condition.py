import random

import pytest

from ringway.engine import condition
from ringway.engine.condition import PAUSE_AWAY_S, PAUSE_REFUSED_S, Condition
from ringway.errors import EngineAway, EngineUnsuitable
from support.log_capture import capture_logs

REFUSED = EngineUnsuitable("wrong password; check it")


def windows(found: Condition, monkeypatch: pytest.MonkeyPatch, error: EngineAway | EngineUnsuitable) -> list[float]:
    """Return the windows from which the pauses of ten attempts are drawn; each must begin at 0."""
    drawn: list[float] = []

    def draw(low: float, high: float) -> float:
        assert low == 0
        drawn.append(high)
        return high

    monkeypatch.setattr(random, "uniform", draw)
    for _ in range(10):
        found.pause_s()
        found.on_attempt_failed(error)
    return drawn


async def test_attempts_are_drawn_from_a_window_that_grows_to_a_bound(monkeypatch: pytest.MonkeyPatch) -> None:
    for error, longest in ((EngineAway("gone"), PAUSE_AWAY_S), (REFUSED, PAUSE_REFUSED_S)):
        drawn = windows(Condition("e"), monkeypatch, error)
        assert drawn == sorted(drawn)
        assert drawn[0] < 0.5
        assert drawn[-1] == longest


async def test_after_a_return_attempts_are_quick_again(monkeypatch: pytest.MonkeyPatch) -> None:
    found = Condition("e")
    first = windows(found, monkeypatch, REFUSED)
    found.on_returned()
    assert windows(found, monkeypatch, REFUSED) == first


async def test_a_cause_is_told_once_until_it_is_over() -> None:
    found = Condition("e")
    with capture_logs() as logs:
        found.on_lost()
        for _ in range(100):
            found.on_attempt_failed(REFUSED)
        assert found.problem == str(REFUSED)
        found.on_returned()
        assert found.problem == ""
        found.on_lost()
        found.on_attempt_failed(REFUSED)
    told = [log["event"] for log in logs if log["log_level"] != "debug"]
    assert told == ["engine away", "the engine refuses us", "engine back", "engine away", "the engine refuses us"]


async def test_an_engine_that_is_merely_away_says_why_to_who_asks() -> None:
    found = Condition("e")
    found.on_lost()
    assert found.problem
    found.on_attempt_failed(EngineAway("nobody listens"))
    assert found.problem == "nobody listens"


async def test_what_is_refused_counts_until_it_is_served_or_long_ago(monkeypatch: pytest.MonkeyPatch) -> None:
    found = Condition("e")
    with capture_logs() as logs:
        for _ in range(3):
            found.on_refused("history", EngineUnsuitable("full"))
        found.on_refused("leases", EngineUnsuitable("full too"))
        assert found.problem == "full; full too"
        found.on_served("history")
        found.on_served("history")
        assert found.problem == "full too"
        monkeypatch.setattr(condition, "REFUSED_S", 0.0)
        assert found.problem == ""
    assert [(log["event"], log["what"]) for log in logs] == [
        ("the engine refuses something", "history"),
        ("the engine refuses something", "leases"),
        ("the engine serves again", "history"),
    ]

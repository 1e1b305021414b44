"""Times of reports, and the changes that are reported early."""

import random

import pytest

from ringway.core.reporting import (
    EARLY_S,
    ReportSchedule,
    measures_have_changed,
    next_pause_s,
    node_has_news,
    places_have_changed,
)
from ringway.protocol.report import Report
from ringway.types import NodeName, NodeState
from sample import node_report

N2 = NodeName("n2")
SAME: dict[str, object] = {
    "connections": 100, "state": NodeState.ACTIVE, "drains_by_deadline": False, "avoid": (), "moved": {},
    "engine_up": True,
}  # fmt: skip


@pytest.fixture
def last() -> Report:
    return node_report("n1", connections=100)


def test_pauses_are_jittered_by_a_fifth() -> None:
    rng = random.Random(1)
    pauses = [next_pause_s(2.0, rng) for _ in range(1000)]
    assert 1.6 <= min(pauses) < 1.65
    assert 2.35 < max(pauses) <= 2.4


@pytest.mark.parametrize(
    "change",
    [
        {"connections": 95}, {"connections": 105}, {"state": NodeState.DRAINING}, {"drains_by_deadline": True},
        {"avoid": (N2,)}, {"moved": {N2: 1}}, {"engine_up": False},
    ],
    ids=str,
)  # fmt: skip
def test_what_others_decide_by_is_reported_early(last: Report, change: dict[str, object]) -> None:
    assert not node_has_news(last, **SAME)  # type: ignore[arg-type]
    assert node_has_news(last, **{**SAME, **change})  # type: ignore[arg-type]


def test_a_few_connections_are_no_news(last: Report) -> None:
    assert not node_has_news(last, **{**SAME, "connections": 104})  # type: ignore[arg-type]
    many = node_report("n1", connections=10_000)
    assert not node_has_news(many, **{**SAME, "connections": 10_099})  # type: ignore[arg-type]
    assert node_has_news(many, **{**SAME, "connections": 10_100})  # type: ignore[arg-type]


def test_when_places_have_changed_much() -> None:
    rng = random.Random(3)
    names = [NodeName(f"n{index}") for index in range(4)]
    assert not places_have_changed({}, {names[0]: 7})
    assert places_have_changed({}, {names[0]: 8})
    assert places_have_changed({names[0]: 8}, {names[1]: 8})
    many = {name: rng.randint(100, 200) for name in names}
    assert not places_have_changed(many, {**many, names[0]: many[names[0]] + 10})
    assert places_have_changed(many, {})


@pytest.mark.parametrize(
    ("field", "said", "little", "much"),
    [
        ("cpu", 0.5, 0.59, 0.61),
        ("utilisation", {"cpu": 0.5, "memory": 0.2}, {"cpu": 0.5, "memory": 0.29}, {"cpu": 0.5, "memory": 0.05}),
        ("utilisation", {"cpu": 0.5}, {"cpu": 0.5}, {"memory": 0.5}),
        ("handshake_p99_s", 0.01, 0.029, 0.031),
        ("handshake_p99_s", 0.2, 0.24, 0.26),
        ("loop_lag_s", 0.001, 0.0, 0.012),
        ("memory_bytes", 10**9, 1_090_000_000, 890_000_000),
    ],
)
def test_measures_are_told_at_once_when_they_have_changed_much(
    field: str, said: object, little: object, much: object
) -> None:
    before, after, changed = (node_report("n1", **{field: value}) for value in (said, little, much))
    assert not measures_have_changed(before, before)
    assert not measures_have_changed(before, after)
    assert measures_have_changed(before, changed)


def test_a_report_is_due_after_its_pause_and_early_where_there_is_news() -> None:
    schedule = ReportSchedule(10.0)
    assert schedule.is_due(10.0, has_news=False)
    schedule.on_report(10.0, 1.1)
    assert not schedule.is_due(10.0 + EARLY_S / 2, has_news=True)
    assert schedule.is_due(10.0 + EARLY_S, has_news=True)
    assert not schedule.is_due(11.0, has_news=False)
    assert schedule.is_due(11.1, has_news=False)


def test_a_pause_shorter_than_an_early_one_is_kept() -> None:
    schedule = ReportSchedule(0.0)
    schedule.on_report(0.0, EARLY_S / 2)
    assert schedule.is_due(EARLY_S / 2, has_news=False)

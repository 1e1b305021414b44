from random import Random

import pytest

from ringway.client.reconnect import Again, Reconnect, is_final, is_final_close
from ringway.errors import CommandError, ConfigError, ConnectionClosed, UpgradeError
from ringway.protocol.move import Move
from ringway.types import NodeName

MOVE = Move(NodeName("n3"), "A" * 44)


class Highest(Random):
    """Draws the upper end, so that a test sees the interval."""

    def uniform(self, a: float, b: float) -> float:
        return b


def reconnect(rng: Random | None = None) -> Reconnect:
    return Reconnect(rng or Highest(), base_s=0.5, cap_s=20.0, stable_s=5.0, retry_after_max_s=60.0)


def test_pauses_grow_up_to_the_cap() -> None:
    plan = reconnect()
    pauses = [plan.after_failure(OSError()).delay_s for _ in range(8)]
    assert pauses == [0.5, 1.0, 2.0, 4.0, 8.0, 16.0, 20.0, 20.0]


def test_pauses_are_drawn_from_the_whole_interval() -> None:
    plans = [reconnect(Random(seed)) for seed in range(200)]
    first = [plan.after_close(1006, "", 60.0).delay_s for plan in plans]
    assert min(first) < 0.05
    assert max(first) > 0.45


def test_a_connection_that_lived_resets_the_pause_and_one_that_did_not_does_not() -> None:
    plan = reconnect()
    assert [plan.after_close(1006, "", 1.0).delay_s for _ in range(3)] == [0.5, 1.0, 2.0]
    assert plan.after_close(1006, "", 5.0).delay_s == 0.5


def test_a_move_is_obeyed_at_once() -> None:
    assert reconnect().after_close(1012, MOVE.reason(), 60.0) == Again(0.0, MOVE)
    assert reconnect().after_close(1012, MOVE.reason(), 0.1) == Again(0.0, MOVE)


def test_moves_that_never_settle_are_slowed_down() -> None:
    plan = reconnect()
    assert [plan.after_close(1012, MOVE.reason(), 0.1).delay_s for _ in range(4)] == [0.0, 1.0, 2.0, 4.0]
    assert plan.after_close(1012, MOVE.reason(), 6.0) == Again(0.0, MOVE)


@pytest.mark.parametrize(("code", "reason"), [(1012, ""), (1012, "move it"), (3000, MOVE.reason())])
def test_what_is_no_move_is_none(code: int, reason: str) -> None:
    assert reconnect().after_close(code, reason, 60.0) == Again(0.5, None)


def test_a_failed_move_is_forgotten() -> None:
    plan = reconnect()
    plan.after_close(1012, MOVE.reason(), 60.0)
    assert plan.after_failure(ConnectionRefusedError()).move is None


@pytest.mark.parametrize(
    ("said", "wait_s"), [("3", 3.0), ("600", 60.0), ("soon", 0.0), ("-5", 0.0), ("²", 0.0), ("", 0.0)]
)
def test_retry_after_is_obeyed_with_jitter_on_top_and_bounded(said: str, wait_s: float) -> None:
    step = reconnect().after_failure(UpgradeError(503, "busy", (("retry-after", said),)))
    assert step == Again(wait_s + 0.5)


@pytest.mark.parametrize(
    ("code", "final"),
    [
        *[(1000, True), (1002, True), (1005, False), (1006, False), (1012, False), (3000, False), (3499, False)],
        *[(3500, True), (3999, True), (4000, False), (4499, False), (4500, True), (4999, True)],
    ],
)
def test_the_range_of_a_code_says_whether_it_is_final(code: int, final: bool) -> None:
    assert is_final_close(code, "") is final
    assert is_final(ConnectionClosed(code)) is final


@pytest.mark.parametrize(
    ("error", "final"),
    [
        (ConfigError("x"), True),
        (CommandError(107, "x"), True),
        (CommandError(100, "x", temporary=True), False),
        (UpgradeError(404, "x"), True),
        (UpgradeError(302, "x"), True),
        (UpgradeError(403, "x"), False),
        (UpgradeError(429, "x"), False),
        (UpgradeError(503, "x"), False),
        (OSError("x"), False),
        (TimeoutError("x"), False),
    ],
)
def test_only_errors_that_time_does_not_heal_are_final(error: Exception, final: bool) -> None:
    assert is_final(error) is final

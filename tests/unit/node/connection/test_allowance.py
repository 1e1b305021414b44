"""The allowance of one client for messages and requests, on time that the test moves."""

import pytest

from ringway.node.config.node import NodeConfig
from ringway.node.connection.allowance import CHANNELS_KNOWN, OVER_MIN, OVER_RATE_S, Allowance
from ringway.types import Channel

KIB, MIB = 1024, 1024 * 1024
CONFIG = NodeConfig(commands_per_s=10, commands_burst=20, bytes_per_s=MIB, bytes_burst=2 * MIB, new_channels_burst=5)


def test_as_many_commands_of_a_frame_are_let_in_as_there_are_tokens() -> None:
    allowance = Allowance(CONFIG, 0.0)
    assert [allowance.admit(0.0, 15), allowance.admit(0.0, 15), allowance.admit(0.0, 15)] == [15, 5, 0]
    assert allowance.refused == 25
    assert allowance.admit(1.0, 10) == 10
    assert allowance.refused == 15


def test_a_flood_is_counted_although_a_command_of_it_is_within_the_rate_now_and_then() -> None:
    allowance = Allowance(CONFIG, 0.0)
    admitted = sum(allowance.admit(n / 100, 1) for n in range(500))
    assert admitted in (68, 69, 70)
    assert allowance.refused > 300


def test_bytes_above_the_burst_are_paid_for_in_time() -> None:
    allowance = Allowance(CONFIG, 0.0)
    assert not any(allowance.receive(0.0, 64 * KIB) for _ in range(32))
    assert allowance.receive(0.0, 64 * KIB)
    assert allowance.received_due_s(0.0) == 64 / 1024
    assert allowance.received_due_s(0.0625) == 0.0


def test_small_messages_are_not_counted_in_bytes() -> None:
    allowance = Allowance(CONFIG, 0.0)
    assert not any(allowance.receive(0.0, KIB) for _ in range(100_000))


def test_a_message_as_long_as_may_be_fits_into_the_burst() -> None:
    allowance = Allowance(NodeConfig(message_bytes_max=MIB, bytes_burst=KIB), 0.0)
    assert not allowance.receive(0.0, MIB)


def test_the_next_answer_waits_until_those_before_are_paid_for() -> None:
    allowance = Allowance(NodeConfig(answer_bytes_per_s=MIB, answer_bytes_burst=2 * MIB), 0.0)
    assert allowance.answer_due_s(0.0) == 0.0
    for _ in range(5):
        allowance.answer(0.0, 512 * KIB)
    assert allowance.answer_due_s(0.0) == 0.5
    assert allowance.answer_due_s(0.5) == 0.0


def test_questions_have_a_price_however_short_the_answers() -> None:
    allowance = Allowance(NodeConfig(answer_bytes_per_s=40_960, answer_bytes_burst=40_960), 0.0)
    for _ in range(20):
        allowance.answer(0.0, 10)
    assert allowance.answer_due_s(0.0) == pytest.approx(1.0)


def test_no_single_answer_costs_more_than_the_burst() -> None:
    allowance = Allowance(NodeConfig(answer_bytes_per_s=MIB, answer_bytes_burst=MIB), 0.0)
    allowance.answer(0.0, 1000 * MIB)
    allowance.answer(0.0, 1000 * MIB)
    assert allowance.answer_due_s(0.0) == pytest.approx(1.0)


def test_new_channels_are_counted_and_known_ones_are_not() -> None:
    allowance = Allowance(CONFIG, 0.0)
    assert [allowance.publish(0.0, Channel(f"c{n}")) for n in range(6)] == [True] * 5 + [False]
    assert all(allowance.publish(0.0, Channel(f"c{n}")) for n in range(5))
    assert allowance.publish(1.0, Channel("c5"))


def test_channels_are_forgotten_when_as_many_came_after_them() -> None:
    allowance = Allowance(NodeConfig(new_channels_burst=CHANNELS_KNOWN + 1), 0.0)
    assert all(allowance.publish(0.0, Channel(f"c{n}")) for n in range(CHANNELS_KNOWN + 1))
    assert not allowance.publish(0.0, Channel("c0"))
    assert allowance.publish(0.0, Channel("c1"))


def test_who_is_over_the_rate_is_read_at_eight_times_the_rate() -> None:
    allowance = Allowance(NodeConfig(commands_per_s=1000, commands_burst=20), 0.0)
    allowance.admit(0.0, 20 + OVER_MIN - 1)
    assert allowance.end_turn() == 0.0
    allowance.admit(0.0, 17)
    assert allowance.end_turn() == 80 / 8000
    assert allowance.end_turn() == 0.0
    allowance.admit(0.0, 1000)
    assert allowance.end_turn() == OVER_RATE_S


def test_what_is_dropped_after_a_close_counts_as_over_the_rate_only_where_that_was_the_reason() -> None:
    within, over = Allowance(CONFIG, 0.0), Allowance(CONFIG, 0.0)
    over.admit(0.0, 21)
    for _ in range(OVER_MIN):
        within.ignore(1)
        over.ignore(1)
    assert within.end_turn() == 0.0
    assert over.end_turn() > 0.0

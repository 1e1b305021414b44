"""Whoever asks and waits for each answer loses none, whenever a connection is cut at a quiet moment."""

from hypothesis import given
from hypothesis import strategies as st

from ringway.core.quiet import UNANSWERED, Quiet

DEADLINE_S = 12.0


@given(
    st.floats(0.05, 1.0),
    st.lists(st.tuples(st.floats(0.0, 1.0), st.floats(0.0, 0.99)), min_size=1, max_size=60),
    st.booleans(),
    st.floats(0.0, 0.99),
)
def test_no_cut_comes_between_a_question_and_its_answer(
    quiet_s: float, turns: list[tuple[float, float]], under_way: bool, first: float
) -> None:
    """`turns`: pauses of the client before it asks, and how long the node takes, in parts of what is waited for."""
    now = 0.0
    quiet = Quiet(now, quiet_s, DEADLINE_S)
    answered_at = first * UNANSWERED * quiet_s if under_way else None
    asked_at = 0.0
    for pause, answer in turns:
        if answered_at is not None:
            looks_until(quiet, asked_at, answered_at)
            quiet.node_spoke(answered_at)
            if quiet.is_quiet(answered_at):
                return  # cut right behind an answer
            now = answered_at
        asked_at = now + pause
        if moment(quiet, now, asked_at) is not None:
            return  # cut while nothing was under way
        quiet.client_spoke(asked_at)
        answered_at = asked_at + answer * UNANSWERED * quiet_s


def moment(quiet: Quiet, begin: float, end: float) -> float | None:
    """The first quiet moment between two times at which nobody speaks, as a watch finds it."""
    now = begin
    while now < end:
        if quiet.is_quiet(now):
            return now
        now += quiet.next_s(now)
    return None


def looks_until(quiet: Quiet, asked_at: float, answered_at: float) -> None:
    found = moment(quiet, asked_at, answered_at)
    assert found is None, f"cut at {found}: asked at {asked_at}, answered at {answered_at}"


@given(st.floats(0.05, 2.0), st.lists(st.tuples(st.booleans(), st.floats(0.0, 3.0)), max_size=40))
def test_a_node_that_still_speaks_is_left_within_two_thirds(quiet_s: float, spoken: list[tuple[bool, float]]) -> None:
    quiet, now = Quiet(0.0, quiet_s, DEADLINE_S), 0.0
    for node, pause in spoken:
        now += pause
        if node:
            quiet.node_spoke(now)
        else:
            quiet.client_spoke(now)
        if node and now >= DEADLINE_S * 2 / 3:
            assert quiet.is_quiet(now)
        assert quiet.next_s(now) > 0

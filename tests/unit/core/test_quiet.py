"""Moments for a planned cut of a connection, by the last messages of both sides and the wait for a quiet moment."""

import pytest

from ringway.core.quiet import UNANSWERED, Quiet

QUIET_S = 1.0
DEADLINE_S = 60.0


def heard(*spoken: tuple[str, float]) -> Quiet:
    """A connection that is watched from 0 on, on which these have spoken."""
    quiet = Quiet(0.0, QUIET_S, DEADLINE_S)
    for who, at in spoken:
        if who == "node":
            quiet.node_spoke(at)
        else:
            quiet.client_spoke(at)
    return quiet


CASES = {
    "nothing is known": ([], 4.9, False),
    "nobody has spoken for long": ([], 5.0, True),
    "a question": ([("client", 3.0)], 7.9, False),
    "a question that nobody answers": ([("client", 3.0)], 8.0, True),
    "an answer": ([("client", 3.0), ("node", 3.5)], 4.4, False),
    "an answer, and a gap": ([("client", 3.0), ("node", 3.5)], 4.5, True),
    "a moment that was missed": ([("client", 3.0), ("node", 3.5)], 4.8, False),
    "a long silence after it": ([("client", 3.0), ("node", 3.5)], 8.5, True),
    "another question": ([("client", 3.0), ("node", 3.5), ("client", 4.4)], 5.6, False),
    "a node that sends on and on": ([("client", 3.0), ("node", 19.9)], 19.9, False),
    "the same in the second part": ([("client", 3.0), ("node", 20.0)], 20.0, True),
    "a question shortly before that": ([("client", 19.5), ("node", 20.0)], 20.0, False),
    "a pause in which the second part begins": ([("client", 18.9), ("node", 19.5)], 20.3, False),
    "a pause in which the third part begins": ([("client", 38.9), ("node", 39.5)], 40.3, False),
    "question on question": ([("client", 39.9), ("node", 39.95)], 39.95, False),
    "the same in the third part": ([("client", 39.9), ("node", 40.0)], 40.0, True),
    "behind a question in the third part": ([("node", 40.0), ("client", 40.1)], 40.2, False),
}


@pytest.mark.parametrize("name", CASES)
def test_the_moment(name: str) -> None:
    spoken, now, quiet = CASES[name]
    assert heard(*spoken).is_quiet(now) is quiet


@pytest.mark.parametrize("name", CASES)
def test_who_looks_when_told_to_misses_no_moment(name: str) -> None:
    spoken, now, _ = CASES[name]
    quiet = heard(*spoken)
    looks = 0
    while not quiet.is_quiet(now):
        now += quiet.next_s(now)
        looks += 1
    assert looks <= 4
    assert not quiet.is_quiet(now - 0.002)


def test_an_unanswered_message_is_waited_for() -> None:
    assert UNANSWERED > 1

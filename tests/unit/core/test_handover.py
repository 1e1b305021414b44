"""The tables of a hand-over: every way through them ends, and none serves a session twice or without its commit."""

from collections.abc import Hashable, Mapping
from typing import TypeVar

import pytest

from ringway.core.handover import (
    DONOR,
    TARGET,
    Deed,
    Donor,
    Heard,
    Seen,
    Step,
    Target,
    next_deed,
    next_step,
)

S = TypeVar("S", bound=Hashable)
E = TypeVar("E", bound=Hashable)
A = TypeVar("A", bound=Hashable)


def paths(table: Mapping[tuple[S, E], tuple[S, A]], start: S) -> list[tuple[S, list[E], list[A]]]:
    """Every way through `table` from `start` that visits no state twice, with what was done on it."""
    found: list[tuple[S, list[E], list[A]]] = []

    def walk(state: S, events: list[E], acts: list[A], visited: frozenset[S]) -> None:
        found.append((state, events, acts))
        for (at, event), (after, act) in table.items():
            if at == state and after not in visited:
                walk(after, [*events, event], [*acts, act], visited | {after})

    walk(start, [], [], frozenset({start}))
    return found


def test_every_state_is_reached_and_every_one_but_the_last_has_a_way_on() -> None:
    assert {state for state, _, _ in paths(DONOR, Donor.PREPARING)} == set(Donor)
    assert {state for state, _, _ in paths(TARGET, Target.PREPARED)} == set(Target)
    assert {at for at, _ in DONOR} == set(Donor) - {Donor.OVER}
    assert {at for at, _ in TARGET} == set(Target) - {Target.OVER, Target.SERVED}


def test_a_commit_follows_a_cut_an_answer_and_the_end_of_all_commands() -> None:
    commits = [(events, acts) for _, events, acts in paths(DONOR, Donor.PREPARING) if Deed.COMMIT in acts]
    assert commits
    for events, acts in commits:
        before = events[: acts.index(Deed.COMMIT) + 1]
        assert acts[0] is Deed.CUT
        assert {Seen.PREPARED, Seen.ANSWERED, Seen.SETTLED} == set(before)
        assert acts.count(Deed.COMMIT) == 1


def test_who_was_cut_is_never_served_by_the_donor_again() -> None:
    for _, _, acts in paths(DONOR, Donor.PREPARING):
        assert not (Deed.CUT in acts and Deed.KEEP in acts)
        assert not (Deed.COMMIT in acts and Deed.ABANDON in acts)


def test_a_session_is_served_once_and_only_with_its_commit_and_its_client() -> None:
    served = [(events, acts) for _, events, acts in paths(TARGET, Target.PREPARED) if Step.SERVE in acts]
    assert len(served) == 2
    for events, acts in served:
        assert set(events) == {Heard.COMMIT, Heard.CLIENT}
        assert acts.count(Step.SERVE) == 1


@pytest.mark.parametrize(
    ("state", "heard"),
    [
        (Target.OVER, Heard.COMMIT),  # the donor was stopped for a while, and goes on
        (Target.OVER, Heard.CLIENT),
        (Target.SERVED, Heard.COMMIT),
        (Target.SERVED, Heard.CLIENT),
        (Target.COMMITTED, Heard.COMMIT),
        (Target.COMMITTED, Heard.ABANDONED),
        (Target.WAITING, Heard.CLIENT),
    ],
)
def test_what_comes_late_or_twice_is_refused(state: Target, heard: Heard) -> None:
    assert next_step(state, heard) is None


@pytest.mark.parametrize(
    ("state", "seen"),
    [(Donor.OVER, Seen.PREPARED), (Donor.PREPARING, Seen.ANSWERED), (Donor.COMMITTING, Seen.SETTLED)],
)
def test_what_means_nothing_to_the_donor_does_nothing(state: Donor, seen: Seen) -> None:
    assert next_deed(state, seen) is None

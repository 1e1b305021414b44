"""The tables of a hand-over: every way through them ends, and none serves a session twice or without its commit."""

from collections.abc import Hashable, Mapping
from typing import TypeVar

import pytest

from ringway.core.handover import (
    DONOR_TABLE,
    TARGET_TABLE,
    DonorAction,
    DonorEvent,
    DonorState,
    TargetAction,
    TargetEvent,
    TargetState,
    step_donor,
    step_target,
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
    assert {state for state, _, _ in paths(DONOR_TABLE, DonorState.PREPARING)} == set(DonorState)
    assert {state for state, _, _ in paths(TARGET_TABLE, TargetState.PREPARED)} == set(TargetState)
    assert {at for at, _ in DONOR_TABLE} == set(DonorState) - {DonorState.OVER}
    assert {at for at, _ in TARGET_TABLE} == set(TargetState) - {TargetState.OVER, TargetState.SERVED}


def test_a_commit_follows_a_cut_an_answer_and_the_end_of_all_commands() -> None:
    commits = [
        (events, acts) for _, events, acts in paths(DONOR_TABLE, DonorState.PREPARING) if DonorAction.COMMIT in acts
    ]
    assert commits
    for events, acts in commits:
        before = events[: acts.index(DonorAction.COMMIT) + 1]
        assert acts[0] is DonorAction.CUT
        assert {DonorEvent.PREPARED, DonorEvent.ANSWERED, DonorEvent.SETTLED} == set(before)
        assert acts.count(DonorAction.COMMIT) == 1


def test_who_was_cut_is_never_served_by_the_donor_again() -> None:
    for _, _, acts in paths(DONOR_TABLE, DonorState.PREPARING):
        assert not (DonorAction.CUT in acts and DonorAction.KEEP in acts)
        assert not (DonorAction.COMMIT in acts and DonorAction.ABANDON in acts)


def test_a_session_is_served_once_and_only_with_its_commit_and_its_client() -> None:
    served = [
        (events, acts) for _, events, acts in paths(TARGET_TABLE, TargetState.PREPARED) if TargetAction.SERVE in acts
    ]
    assert len(served) == 2
    for events, acts in served:
        assert set(events) == {TargetEvent.COMMIT, TargetEvent.CLIENT}
        assert acts.count(TargetAction.SERVE) == 1


@pytest.mark.parametrize(
    ("state", "heard"),
    [
        (TargetState.OVER, TargetEvent.COMMIT),  # the donor was stopped for a while, and goes on
        (TargetState.OVER, TargetEvent.CLIENT),
        (TargetState.SERVED, TargetEvent.COMMIT),
        (TargetState.SERVED, TargetEvent.CLIENT),
        (TargetState.COMMITTED, TargetEvent.COMMIT),
        (TargetState.COMMITTED, TargetEvent.ABANDONED),
        (TargetState.WAITING, TargetEvent.CLIENT),
    ],
)
def test_what_comes_late_or_twice_is_refused(state: TargetState, heard: TargetEvent) -> None:
    assert step_target(state, heard) is None


@pytest.mark.parametrize(
    ("state", "seen"),
    [
        (DonorState.OVER, DonorEvent.PREPARED),
        (DonorState.PREPARING, DonorEvent.ANSWERED),
        (DonorState.COMMITTING, DonorEvent.SETTLED),
    ],
)
def test_what_means_nothing_to_the_donor_does_nothing(state: DonorState, seen: DonorEvent) -> None:
    assert step_donor(state, seen) is None

"""The table of a relay's way from node to node: it is whole, and no relay gets stuck in it."""

import pytest

from ringway.core.migration import (
    MIGRATION_TABLE,
    AwaitQuiet,
    CloseClient,
    CloseWithClient,
    FailMigration,
    JoinNext,
    LeaveNode,
    MigrationEvent,
    MigrationLimit,
    MigrationMachine,
    MigrationState,
    SayGoodbye,
    SetDeadline,
    StayAtNode,
    node_over,
)

NODE_OVER = (MigrationEvent.NODE_CLOSED, MigrationEvent.NODE_LOST)
ENDINGS = (FailMigration, CloseWithClient, CloseClient, StayAtNode, JoinNext)

CANNOT_HAPPEN = {
    # Nothing has begun: the relay asks for nothing else.
    *(
        (MigrationState.RELAYING, event)
        for event in MigrationEvent
        if event not in (*NODE_OVER, MigrationEvent.MOVED, MigrationEvent.LEAVE, MigrationEvent.LEAVE_NOW)
    ),
    # The node has closed, at a boundary.
    (MigrationState.CLOSING, MigrationEvent.MOVED),
    (MigrationState.CLOSING, MigrationEvent.NODE_CLOSED),
    (MigrationState.CLOSING, MigrationEvent.NODE_BROKEN),
    (MigrationState.OPENING, MigrationEvent.MOVED),
    *((MigrationState.OPENING, event) for event in NODE_OVER),
    (MigrationState.OPENING, MigrationEvent.NODE_BROKEN),
    # Its close, whatever it says, is one of a backend.
    (MigrationState.LEAVING, MigrationEvent.MOVED),
    (MigrationState.WAITING, MigrationEvent.MOVED),
    # Boundaries are asked for where the client is braked.
    (MigrationState.WAITING, MigrationEvent.BOUNDARY),
    (MigrationState.ENDING, MigrationEvent.MOVED),
    # The client is held, and was between two messages.
    *(
        (state, event)
        for state in (MigrationState.ENDING, MigrationState.OPENING)
        for event in (MigrationEvent.BOUNDARY, MigrationEvent.CLIENT_CLOSED)
    ),
    # The deadline of a goodbye counts as the node's end.
    (MigrationState.ENDING, MigrationEvent.EXPIRED),
    # A relay that is on the way is not led away once more.
    *(
        (state, event)
        for state in MigrationState
        if state is not MigrationState.RELAYING
        for event in (MigrationEvent.LEAVE, MigrationEvent.LEAVE_NOW)
    ),
    # A quiet moment is waited for in one state, and there alone it is asked whether the node is still to be left.
    *(
        (state, event)
        for state in MigrationState
        if state is not MigrationState.WAITING
        for event in (MigrationEvent.QUIET, MigrationEvent.REMAIN)
    ),
    # No next node was asked.
    *(
        (state, event)
        for state in MigrationState
        if state is not MigrationState.OPENING
        for event in (MigrationEvent.OPENED, MigrationEvent.FAILED)
    ),
    # Clients are closed at a quiet moment, or when the node was told goodbye.
    *(
        (state, MigrationEvent.DISMISSED)
        for state in MigrationState
        if state not in (MigrationState.WAITING, MigrationState.ENDING)
    ),
    # It is over.
    *((MigrationState.OVER, event) for event in MigrationEvent),
}


def at(*events: MigrationEvent, closes: bool = False) -> MigrationMachine:
    """A machine to which `events` have happened."""
    machine = MigrationMachine(closes=closes)
    for event in events:
        machine.report(event)
    return machine


WAITING = (MigrationEvent.LEAVE,)
LEAVING = (MigrationEvent.LEAVE_NOW,)
ENDING = (MigrationEvent.LEAVE, MigrationEvent.QUIET)
LATE = (MigrationEvent.LEAVE_NOW, MigrationEvent.BOUNDARY)


def test_whatever_can_happen_is_in_the_table() -> None:
    every = {(state, event) for state in MigrationState for event in MigrationEvent}
    assert every - CANNOT_HAPPEN == set(MIGRATION_TABLE)


def test_every_state_can_be_reached_and_ends_by_itself() -> None:
    reached = {MigrationState.RELAYING}
    for _ in MigrationState:
        reached |= {step.state for (state, _), step in MIGRATION_TABLE.items() if state in reached}
    assert reached == set(MigrationState)
    for state in (MigrationState.CLOSING, MigrationState.LEAVING, MigrationState.OPENING):
        assert MIGRATION_TABLE[state, MigrationEvent.EXPIRED].state is MigrationState.OVER
    assert MIGRATION_TABLE[MigrationState.WAITING, MigrationEvent.EXPIRED].state is MigrationState.LEAVING
    for event in (*NODE_OVER, MigrationEvent.NODE_BROKEN):  # what stands for the deadline there
        assert MIGRATION_TABLE[MigrationState.ENDING, event]


def test_every_state_in_which_somebody_is_awaited_has_a_deadline() -> None:
    for (before, _), step in MIGRATION_TABLE.items():
        if step.state is MigrationState.OVER:
            continue
        sets = any(isinstance(action, SetDeadline) for action in step.actions)
        assert sets or before is MigrationState.CLOSING, "the deadline of a move covers the answer of the next node"


def test_what_is_left_leads_on_or_is_told() -> None:
    for (state, event), step in MIGRATION_TABLE.items():
        for action in step.actions:
            if isinstance(action, FailMigration):
                assert action.cause or event is MigrationEvent.FAILED, (state, event)
        assert (step.state is MigrationState.OVER) == any(isinstance(action, ENDINGS) for action in step.actions)
        assert (step.state is MigrationState.OPENING) == any(isinstance(action, LeaveNode) for action in step.actions)


def test_a_node_that_has_closed_is_answered_and_one_that_was_told_goodbye_is_not() -> None:
    assert LeaveNode(answers=True) in at().report(MigrationEvent.NODE_CLOSED)
    assert LeaveNode(answers=False) in at().report(MigrationEvent.NODE_LOST)
    for event in NODE_OVER:
        assert LeaveNode(answers=False, planned=True) in at(*ENDING).report(event)


def test_a_node_that_answers_no_goodbye_counts_as_lost() -> None:
    assert LeaveNode(planned=True) in at(*ENDING).report_expiry(wanted=True, node_whole=True)
    assert at(*ENDING).report_expiry(wanted=True, node_whole=False) == (FailMigration("message"),)
    assert LeaveNode(planned=True) in at(*ENDING).report_breach(of_client=False, node_whole=True)


@pytest.mark.parametrize("event", [*NODE_OVER, MigrationEvent.NODE_BROKEN])
def test_a_client_that_is_to_come_back_by_itself_is_closed_when_its_node_has_sent_its_last(
    event: MigrationEvent,
) -> None:
    machine = at(*LATE, closes=True)
    assert machine.state is MigrationState.ENDING
    assert machine.report(event) == (CloseClient(),)
    assert machine.state is MigrationState.OVER
    assert at(*LATE, closes=True).report_expiry(wanted=True, node_whole=False) == (CloseClient(),)
    assert at(*LATE, closes=True).report_breach(of_client=False, node_whole=True) == (CloseClient(),)


def test_a_client_that_is_to_come_back_by_itself_is_closed_at_once_at_a_quiet_moment() -> None:
    assert at(*WAITING, closes=True).report_quiet(wanted=True) == (CloseClient(),)
    assert at(*WAITING, closes=True).report_quiet(wanted=False) == (StayAtNode(),)


def test_whether_the_client_is_closed_in_the_end_makes_no_difference_while_a_moment_is_awaited() -> None:
    for events in (WAITING, LEAVING, LATE):
        assert at(*events, closes=True).state is at(*events).state
    assert at(*WAITING, closes=True).report(MigrationEvent.NODE_CLOSED) == (StayAtNode(),)
    assert at(*LATE, closes=True).report(MigrationEvent.CLIENT_ENDED) == (FailMigration("client"),)


def test_a_node_that_is_to_be_left_no_more_is_kept() -> None:
    assert at(*WAITING).report_quiet(wanted=False) == (StayAtNode(),)
    assert at(*WAITING).report_expiry(wanted=False, node_whole=True) == (StayAtNode(),)
    assert SayGoodbye() in at(*WAITING).report_quiet(wanted=True)
    assert SetDeadline(MigrationLimit.MESSAGE) in at(*WAITING).report_expiry(wanted=True, node_whole=True)


def test_without_time_to_wait_no_quiet_moment_is_awaited() -> None:
    assert AwaitQuiet() in at().report(MigrationEvent.LEAVE)
    assert AwaitQuiet() not in at().report(MigrationEvent.LEAVE_NOW)


@pytest.mark.parametrize("events", [WAITING, LEAVING])
def test_who_breaks_the_framing_before_the_node_was_left_is_judged_as_in_any_relay(
    events: tuple[MigrationEvent, ...],
) -> None:
    assert at(*events).report_breach(of_client=True, node_whole=True) == (StayAtNode(),)
    assert at(*events).report_breach(of_client=False, node_whole=True) == ()


def test_a_breach_of_the_client_on_its_way_is_for_the_relay_to_judge() -> None:
    assert at(MigrationEvent.MOVED).report_breach(of_client=True, node_whole=True) == ()


def test_a_node_is_over_within_a_message_or_between_two() -> None:
    assert node_over(closed=True, whole=True) is MigrationEvent.NODE_CLOSED
    assert node_over(closed=False, whole=True) is MigrationEvent.NODE_LOST
    assert {node_over(closed=closed, whole=False) for closed in (True, False)} == {MigrationEvent.NODE_BROKEN}


def test_what_was_finished_is_over() -> None:
    machine = at(*WAITING)
    machine.finish()
    assert machine.state is MigrationState.OVER

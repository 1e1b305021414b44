"""The table of a tunnel's way from node to node: it is whole, and nobody gets stuck in it."""

from ringway.core.migration import TABLE, WHY, MigrationAction, MigrationEvent, MigrationState

CANNOT_HAPPEN = {
    # Nothing has begun: the tunnel asks for nothing else.
    *(
        (MigrationState.RELAYING, event)
        for event in MigrationEvent
        if event not in (MigrationEvent.MOVED, MigrationEvent.NODE_OVER, MigrationEvent.LEAVE)
    ),
    # The node's stream is over, at a boundary.
    (MigrationState.CLOSING, MigrationEvent.MOVED),
    (MigrationState.CLOSING, MigrationEvent.NODE_BROKEN),
    (MigrationState.OPENING, MigrationEvent.MOVED),
    (MigrationState.OPENING, MigrationEvent.NODE_OVER),
    (MigrationState.OPENING, MigrationEvent.NODE_BROKEN),
    # Its close, whatever it says, is one of a backend.
    (MigrationState.LEAVING, MigrationEvent.MOVED),
    (MigrationState.WAITING, MigrationEvent.MOVED),
    # Boundaries are asked for where the client is braked.
    (MigrationState.WAITING, MigrationEvent.BOUNDARY),
    (MigrationState.PARTING, MigrationEvent.MOVED),
    # The client is held, and was between two messages.
    *(
        (state, event)
        for state in (MigrationState.PARTING, MigrationState.OPENING)
        for event in (MigrationEvent.BOUNDARY, MigrationEvent.CLIENT_CLOSED)
    ),
    # The deadline of a goodbye counts as the node's end.
    (MigrationState.PARTING, MigrationEvent.EXPIRED),
    # Who is on the way is not led away once more.
    *((state, MigrationEvent.LEAVE) for state in MigrationState if state is not MigrationState.RELAYING),
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
    # It is over.
    *((MigrationState.OVER, event) for event in MigrationEvent),
}


def test_whatever_can_happen_is_in_the_table() -> None:
    assert {(state, event) for state in MigrationState for event in MigrationEvent} - CANNOT_HAPPEN == set(TABLE)


def test_every_state_can_be_reached_and_ends_by_itself() -> None:
    reached = {MigrationState.RELAYING}
    for _ in MigrationState:
        reached |= {after for (state, _), (_, after) in TABLE.items() if state in reached}
    assert reached == set(MigrationState)
    for state in (MigrationState.CLOSING, MigrationState.LEAVING, MigrationState.OPENING):
        assert TABLE[state, MigrationEvent.EXPIRED][1] is MigrationState.OVER
    assert TABLE[MigrationState.WAITING, MigrationEvent.EXPIRED][1] is MigrationState.LEAVING
    for event in (MigrationEvent.NODE_OVER, MigrationEvent.NODE_BROKEN):  # what stands for the deadline there
        assert TABLE[MigrationState.PARTING, event]


def test_what_is_left_leads_on_or_is_told() -> None:
    for (state, event), (action, after) in TABLE.items():
        if action is MigrationAction.FAIL:
            assert event is MigrationEvent.FAILED or WHY[event], (state, event)
        assert (after is MigrationState.OVER) == (
            action in (MigrationAction.FAIL, MigrationAction.ECHO, MigrationAction.STAY, MigrationAction.JOIN)
        )
        assert (after is MigrationState.OPENING) == (action in (MigrationAction.ANSWER, MigrationAction.OPEN))

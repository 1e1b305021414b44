"""The table of a tunnel's way from node to node: it is whole, and nobody gets stuck in it."""

from ringway.core.migration import TABLE, WHY, Action, Event, State

CANNOT_HAPPEN = {
    # Nothing has begun: the tunnel asks for nothing else.
    *((State.RELAYING, event) for event in Event if event not in (Event.MOVED, Event.NODE_OVER, Event.LEAVE)),
    # The node's stream is over, at a boundary.
    (State.CLOSING, Event.MOVED),
    (State.CLOSING, Event.NODE_BROKEN),
    (State.OPENING, Event.MOVED),
    (State.OPENING, Event.NODE_OVER),
    (State.OPENING, Event.NODE_BROKEN),
    # Its close, whatever it says, is one of a backend.
    (State.LEAVING, Event.MOVED),
    (State.WAITING, Event.MOVED),
    # Boundaries are asked for where the client is braked.
    (State.WAITING, Event.BOUNDARY),
    (State.PARTING, Event.MOVED),
    # The client is held, and was between two messages.
    *((state, event) for state in (State.PARTING, State.OPENING) for event in (Event.BOUNDARY, Event.CLIENT_CLOSED)),
    # The deadline of a goodbye counts as the node's end.
    (State.PARTING, Event.EXPIRED),
    # Who is on the way is not led away once more.
    *((state, Event.LEAVE) for state in State if state is not State.RELAYING),
    # A quiet moment is waited for in one state, and there alone it is asked whether the node is still to be left.
    *((state, event) for state in State if state is not State.WAITING for event in (Event.QUIET, Event.REMAIN)),
    # No next node was asked.
    *((state, event) for state in State if state is not State.OPENING for event in (Event.OPENED, Event.FAILED)),
    # It is over.
    *((State.OVER, event) for event in Event),
}


def test_whatever_can_happen_is_in_the_table() -> None:
    assert {(state, event) for state in State for event in Event} - CANNOT_HAPPEN == set(TABLE)


def test_every_state_can_be_reached_and_ends_by_itself() -> None:
    reached = {State.RELAYING}
    for _ in State:
        reached |= {after for (state, _), (_, after) in TABLE.items() if state in reached}
    assert reached == set(State)
    for state in (State.CLOSING, State.LEAVING, State.OPENING):
        assert TABLE[state, Event.EXPIRED][1] is State.OVER
    assert TABLE[State.WAITING, Event.EXPIRED][1] is State.LEAVING
    for event in (Event.NODE_OVER, Event.NODE_BROKEN):  # what stands for the deadline there
        assert TABLE[State.PARTING, event]


def test_what_is_left_leads_on_or_is_told() -> None:
    for (state, event), (action, after) in TABLE.items():
        if action is Action.FAIL:
            assert event is Event.FAILED or WHY[event], (state, event)
        assert (after is State.OVER) == (action in (Action.FAIL, Action.ECHO, Action.STAY, Action.JOIN))
        assert (after is State.OPENING) == (action in (Action.ANSWER, Action.OPEN))

"""The table of a WebSocket's end: it is whole, and each rule of RFC 6455 about the end can be read off it."""

import pytest

from ringway.protocol.closing import TABLE, Action, Event, State, step

CANNOT_HAPPEN = {(State.ENDED, event) for event in (Event.FRAME, Event.CLOSE, Event.BREACH, Event.END)}


def walk(*events: Event) -> tuple[list[Action], State]:
    """What is done about `events`, and the state after them."""
    state = State.OPEN
    done = []
    for event in events:
        action, state = step(state, event)
        done.append(action)
    return done, state


def test_whatever_can_happen_is_in_the_table() -> None:
    assert {(state, event) for state in State for event in Event} - CANNOT_HAPPEN == set(TABLE)


def test_every_state_can_be_reached_and_ends() -> None:
    reached = {State.OPEN}
    for _ in State:
        reached |= {after for (state, _), (_, after) in TABLE.items() if state in reached}
    assert reached == set(State)
    for state in State:
        assert step(state, Event.EXPIRED)[1] is State.GONE
        assert step(state, Event.LOST)[1] is State.GONE


WALKS = {
    "a close is answered": (
        [Event.FRAME, Event.CLOSE, Event.CLOSE_HERE, Event.END],
        [Action.DELIVER, Action.REPLY, Action.SEND_CLOSE, Action.END_TCP],
    ),
    "a ping behind the close frame (5.5.2)": (
        [Event.CLOSE, Event.FRAME, Event.CLOSE_HERE, Event.FRAME],
        [Action.REPLY, Action.IGNORE, Action.SEND_CLOSE, Action.IGNORE],
    ),
    "a second close frame": (
        [Event.CLOSE, Event.CLOSE, Event.CLOSE_HERE, Event.CLOSE],
        [Action.REPLY, Action.IGNORE, Action.SEND_CLOSE, Action.IGNORE],
    ),
    "both close at one time": (
        [Event.CLOSE_HERE, Event.CLOSE, Event.CLOSE_HERE],
        [Action.SEND_CLOSE, Action.END_TCP, Action.IGNORE],
    ),
    "what the peer sent before it saw the close frame of this end": (
        [Event.CLOSE_HERE, Event.FRAME, Event.CLOSE],
        [Action.SEND_CLOSE, Action.DELIVER, Action.END_TCP],
    ),
    "a breach is told": (
        [Event.FRAME, Event.BREACH, Event.CLOSE_HERE],
        [Action.DELIVER, Action.FAIL, Action.SEND_CLOSE],
    ),
    "a breach behind a close frame": ([Event.CLOSE, Event.BREACH], [Action.REPLY, Action.IGNORE]),
    "a breach after a close frame of this end is not told again": (
        [Event.CLOSE_HERE, Event.BREACH, Event.CLOSE_HERE],
        [Action.SEND_CLOSE, Action.END_TCP, Action.IGNORE],
    ),
    "a close frame behind a breach": ([Event.BREACH, Event.CLOSE], [Action.FAIL, Action.IGNORE]),
    "the peer ends its stream without a word": (
        [Event.END, Event.CLOSE_HERE, Event.LOST],
        [Action.REPORT_LOSS, Action.SEND_CLOSE, Action.IGNORE],
    ),
    "the peer ends its stream in place of an answer": (
        [Event.CLOSE_HERE, Event.END],
        [Action.SEND_CLOSE, Action.REPORT_LOSS],
    ),
    "the peer ends its stream behind its close frame": (
        [Event.CLOSE, Event.END, Event.CLOSE_HERE],
        [Action.REPLY, Action.IGNORE, Action.SEND_CLOSE],
    ),
}


@pytest.mark.parametrize("name", WALKS)
def test_what_is_done(name: str) -> None:
    events, actions = WALKS[name]
    assert walk(*events)[0] == actions


@pytest.mark.parametrize("before", [state for state in State if state is not State.GONE], ids=lambda state: state.name)
def test_a_reset_is_known_at_once_whatever_was_before(before: State) -> None:
    assert step(before, Event.LOST)[1] is State.GONE

"""The table of a WebSocket's end: it is whole, and each rule of RFC 6455 about the end can be read off it."""

import pytest

from ringway.protocol.closing import TABLE, ClosingAction, ClosingEvent, ClosingState, step

CANNOT_HAPPEN = {
    (ClosingState.ENDED, event)
    for event in (ClosingEvent.FRAME, ClosingEvent.CLOSE, ClosingEvent.BREACH, ClosingEvent.END)
}


def walk(*events: ClosingEvent) -> tuple[list[ClosingAction], ClosingState]:
    """What is done about `events`, and the state after them."""
    state = ClosingState.OPEN
    done = []
    for event in events:
        action, state = step(state, event)
        done.append(action)
    return done, state


def test_whatever_can_happen_is_in_the_table() -> None:
    assert {(state, event) for state in ClosingState for event in ClosingEvent} - CANNOT_HAPPEN == set(TABLE)


def test_every_state_can_be_reached_and_ends() -> None:
    reached = {ClosingState.OPEN}
    for _ in ClosingState:
        reached |= {after for (state, _), (_, after) in TABLE.items() if state in reached}
    assert reached == set(ClosingState)
    for state in ClosingState:
        assert step(state, ClosingEvent.EXPIRED)[1] is ClosingState.GONE
        assert step(state, ClosingEvent.LOST)[1] is ClosingState.GONE


WALKS = {
    "a close is answered": (
        [ClosingEvent.FRAME, ClosingEvent.CLOSE, ClosingEvent.CLOSE_HERE, ClosingEvent.END],
        [ClosingAction.DELIVER, ClosingAction.REPLY, ClosingAction.SEND_CLOSE, ClosingAction.END_TCP],
    ),
    "a ping behind the close frame (5.5.2)": (
        [ClosingEvent.CLOSE, ClosingEvent.FRAME, ClosingEvent.CLOSE_HERE, ClosingEvent.FRAME],
        [ClosingAction.REPLY, ClosingAction.IGNORE, ClosingAction.SEND_CLOSE, ClosingAction.IGNORE],
    ),
    "a second close frame": (
        [ClosingEvent.CLOSE, ClosingEvent.CLOSE, ClosingEvent.CLOSE_HERE, ClosingEvent.CLOSE],
        [ClosingAction.REPLY, ClosingAction.IGNORE, ClosingAction.SEND_CLOSE, ClosingAction.IGNORE],
    ),
    "both close at one time": (
        [ClosingEvent.CLOSE_HERE, ClosingEvent.CLOSE, ClosingEvent.CLOSE_HERE],
        [ClosingAction.SEND_CLOSE, ClosingAction.END_TCP, ClosingAction.IGNORE],
    ),
    "what the peer sent before it saw the close frame of this end": (
        [ClosingEvent.CLOSE_HERE, ClosingEvent.FRAME, ClosingEvent.CLOSE],
        [ClosingAction.SEND_CLOSE, ClosingAction.DELIVER, ClosingAction.END_TCP],
    ),
    "a breach is told": (
        [ClosingEvent.FRAME, ClosingEvent.BREACH, ClosingEvent.CLOSE_HERE],
        [ClosingAction.DELIVER, ClosingAction.FAIL, ClosingAction.SEND_CLOSE],
    ),
    "a breach behind a close frame": (
        [ClosingEvent.CLOSE, ClosingEvent.BREACH],
        [ClosingAction.REPLY, ClosingAction.IGNORE],
    ),
    "a breach after a close frame of this end is not told again": (
        [ClosingEvent.CLOSE_HERE, ClosingEvent.BREACH, ClosingEvent.CLOSE_HERE],
        [ClosingAction.SEND_CLOSE, ClosingAction.END_TCP, ClosingAction.IGNORE],
    ),
    "a close frame behind a breach": (
        [ClosingEvent.BREACH, ClosingEvent.CLOSE],
        [ClosingAction.FAIL, ClosingAction.IGNORE],
    ),
    "the peer ends its stream without a word": (
        [ClosingEvent.END, ClosingEvent.CLOSE_HERE, ClosingEvent.LOST],
        [ClosingAction.REPORT_LOSS, ClosingAction.SEND_CLOSE, ClosingAction.IGNORE],
    ),
    "the peer ends its stream in place of an answer": (
        [ClosingEvent.CLOSE_HERE, ClosingEvent.END],
        [ClosingAction.SEND_CLOSE, ClosingAction.REPORT_LOSS],
    ),
    "the peer ends its stream behind its close frame": (
        [ClosingEvent.CLOSE, ClosingEvent.END, ClosingEvent.CLOSE_HERE],
        [ClosingAction.REPLY, ClosingAction.IGNORE, ClosingAction.SEND_CLOSE],
    ),
}


@pytest.mark.parametrize("name", WALKS)
def test_what_is_done(name: str) -> None:
    events, actions = WALKS[name]
    assert walk(*events)[0] == actions


@pytest.mark.parametrize(
    "before", [state for state in ClosingState if state is not ClosingState.GONE], ids=lambda state: state.name
)
def test_a_reset_is_known_at_once_whatever_was_before(before: ClosingState) -> None:
    assert step(before, ClosingEvent.LOST)[1] is ClosingState.GONE

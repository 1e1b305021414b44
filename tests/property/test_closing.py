"""Any events in any order at the end of a WebSocket: the rules of `ringway.protocol.closing` are obeyed."""

from hypothesis import given
from hypothesis import strategies as st

from ringway.protocol.closing import ClosingAction, ClosingEvent, ClosingState, step

STREAM = [ClosingEvent.FRAME, ClosingEvent.CLOSE, ClosingEvent.BREACH]


@st.composite
def ends(draw: st.DrawFn) -> list[ClosingEvent]:
    """Any events, but nothing of the peer's stream behind its end."""
    events: list[ClosingEvent] = []
    rest = [*STREAM, ClosingEvent.END, ClosingEvent.LOST, ClosingEvent.CLOSE_HERE, ClosingEvent.EXPIRED]
    for _ in range(draw(st.integers(0, 12))):
        event = draw(st.sampled_from(rest))
        events.append(event)
        if event in (ClosingEvent.END, ClosingEvent.LOST, ClosingEvent.EXPIRED):
            rest = [other for other in rest if other not in (*STREAM, ClosingEvent.END)]
    return events


@given(ends())
def test_the_rules_hold(events: list[ClosingEvent]) -> None:
    state = ClosingState.OPEN
    done: list[tuple[ClosingEvent, ClosingAction]] = []
    for event in events:
        action, state = step(state, event)
        done.append((event, action))

    over = [index for index, event in enumerate(events) if event not in (ClosingEvent.FRAME, ClosingEvent.CLOSE_HERE)]
    peer_over = over[0] if over else len(events)
    for index, (event, action) in enumerate(done):
        if event is ClosingEvent.FRAME:  # rules 1 and 2: delivered before the end of the peer's half, ignored after it
            assert action is (ClosingAction.DELIVER if index < peer_over else ClosingAction.IGNORE)

    actions = [action for _, action in done]
    assert actions.count(ClosingAction.SEND_CLOSE) <= 1  # rule 3
    assert sum(actions.count(action) for action in (ClosingAction.REPLY, ClosingAction.FAIL)) <= 1
    if ClosingAction.FAIL in actions and ClosingAction.SEND_CLOSE in actions:
        assert actions.index(ClosingAction.FAIL) < actions.index(ClosingAction.SEND_CLOSE)
    assert actions.count(ClosingAction.REPORT_LOSS) <= 1
    assert actions.count(ClosingAction.ABORT) <= 1

    lost = {ClosingEvent.LOST, ClosingEvent.EXPIRED} & set(events)
    assert (state is ClosingState.GONE) == bool(lost)  # rule 4
    asked = {ClosingAction.REPLY, ClosingAction.FAIL} & set(actions)
    if state is ClosingState.CLOSE_DUE:
        assert asked  # somebody has been told to send the close frame that is due
    if state is ClosingState.CLOSED:
        assert ClosingAction.SEND_CLOSE in actions

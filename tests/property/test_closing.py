"""Whatever comes in whatever order at the end of a WebSocket: the rules of `ringway.protocol.closing` hold."""

from hypothesis import given
from hypothesis import strategies as st

from ringway.protocol.closing import Action, Event, State, step

STREAM = [Event.FRAME, Event.CLOSE, Event.BREACH]


@st.composite
def ends(draw: st.DrawFn) -> list[Event]:
    """Any events, but nothing of the peer's stream behind its end."""
    events: list[Event] = []
    rest = [*STREAM, Event.END, Event.LOST, Event.CLOSE_HERE, Event.EXPIRED]
    for _ in range(draw(st.integers(0, 12))):
        event = draw(st.sampled_from(rest))
        events.append(event)
        if event in (Event.END, Event.LOST, Event.EXPIRED):
            rest = [other for other in rest if other not in (*STREAM, Event.END)]
    return events


@given(ends())
def test_the_rules_hold(events: list[Event]) -> None:
    state = State.OPEN
    done: list[tuple[Event, Action]] = []
    for event in events:
        action, state = step(state, event)
        done.append((event, action))

    over = [index for index, event in enumerate(events) if event not in (Event.FRAME, Event.CLOSE_HERE)]
    peer_over = over[0] if over else len(events)
    for index, (event, action) in enumerate(done):
        if event is Event.FRAME:  # rules 1 and 2: delivered before the end of the peer's half, ignored after it
            assert action is (Action.DELIVER if index < peer_over else Action.IGNORE)

    actions = [action for _, action in done]
    assert actions.count(Action.SEND_CLOSE) <= 1  # rule 3
    assert sum(actions.count(action) for action in (Action.REPLY, Action.FAIL)) <= 1
    if Action.FAIL in actions and Action.SEND_CLOSE in actions:
        assert actions.index(Action.FAIL) < actions.index(Action.SEND_CLOSE)
    assert actions.count(Action.REPORT_LOSS) <= 1
    assert actions.count(Action.ABORT) <= 1

    lost = {Event.LOST, Event.EXPIRED} & set(events)
    assert (state is State.GONE) == bool(lost)  # rule 4
    asked = {Action.REPLY, Action.FAIL} & set(actions)
    if state is State.CLOSE_DUE:
        assert asked  # somebody has been told to send the close frame that is due
    if state is State.CLOSED:
        assert Action.SEND_CLOSE in actions

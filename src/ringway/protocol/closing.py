"""Closing of a WebSocket connection, as a table (RFC 6455, 5.5.1, 5.5.2 and 7.1; PROTOCOL.md P-2.8).

The table describes one connection in the view of one end: of a node and its client, of a client and its node, of a
gateway and each of its two peers in a relay. `HERE` is this end, the peer is the opposite end.

                       peer closes, or breaks a rule
         OPEN ─────────────────────────────────────────▶ CLOSE_DUE
         │  │                                                │
         │  └──peer's stream ends without a close──▶ ENDED   │ close sent here
         │ close sent here                             │     │
         ▼                                             ▼     ▼
     CLOSE_SENT ──peer closes, breaks a rule, ends──▶ CLOSED ──connection lost, or out of time──▶ GONE

     OPEN        Messages go both ways.
     CLOSE_SENT  This end has sent its close frame. The peer may not have seen it yet, so its frames are legal.
     CLOSE_DUE   The peer's half is over: it sent its close frame, or broke a rule. A close frame of this end is due.
     ENDED       The peer's stream came to its end without a close frame. The peer may still read.
     CLOSED      Both ends have finished sending. TCP has to end.
     GONE        The connection is over.

Rules that follow for all ends:

 1. Frames that the peer sent before its close frame, its breach or its end are delivered, also if they came in the same
    read.
 2. Bytes that the peer sends after its close frame or its breach are ignored unread: pings and pongs that crossed the
    close frame of this end, a second close frame, broken frames.
 3. At most one close frame is sent. A breach that is found after it is not reported by 1002.
 4. The loss of a connection is reported at once, also if its stream had ended before.

A close frame can only be written between two frames. If a frame is half written, `SEND_CLOSE`, `REPLY` and `FAIL`
become `ABORT`.

Frames in `OPEN` need no lookup: code that relays or delivers them uses the table for other events only. Pure, without
an object per connection: the caller stores the state, and calls `step`.
"""

import enum


class ClosingState(enum.Enum):
    """The state of one connection's end."""

    OPEN = enum.auto()
    CLOSE_SENT = enum.auto()
    CLOSE_DUE = enum.auto()
    ENDED = enum.auto()
    CLOSED = enum.auto()
    GONE = enum.auto()


class ClosingEvent(enum.Enum):
    """An event of one connection."""

    FRAME = enum.auto()  # a whole, legal frame of the peer, but no close frame
    CLOSE = enum.auto()  # a close frame of the peer, whole and legal
    BREACH = enum.auto()  # bytes of the peer that break a rule
    END = enum.auto()  # the end of the peer's stream (FIN)
    LOST = enum.auto()  # the connection is over: reset, or both streams ended
    CLOSE_HERE = enum.auto()  # this end sends its close frame: the answer, or the first of the two
    EXPIRED = enum.auto()  # the time for this state is up


class ClosingAction(enum.Enum):
    """The action of this end."""

    DELIVER = enum.auto()  # process the frame; after a close of this end, its cause decides
    REPLY = enum.auto()  # carry out earlier frames, then answer the close frame: `CLOSE_HERE`
    FAIL = enum.auto()  # carry out earlier frames, then send a close frame with the breach: `CLOSE_HERE`
    SEND_CLOSE = enum.auto()  # write the close frame
    END_TCP = enum.auto()  # end TCP, after all data is written; the server's end does so first
    REPORT_LOSS = enum.auto()  # report an end without a close frame of the peer (1006), and end TCP
    IGNORE = enum.auto()  # no action
    ABORT = enum.auto()  # end TCP at once


TABLE: dict[tuple[ClosingState, ClosingEvent], tuple[ClosingAction, ClosingState]] = {
    (ClosingState.OPEN, ClosingEvent.FRAME): (ClosingAction.DELIVER, ClosingState.OPEN),
    (ClosingState.OPEN, ClosingEvent.CLOSE): (ClosingAction.REPLY, ClosingState.CLOSE_DUE),
    (ClosingState.OPEN, ClosingEvent.BREACH): (ClosingAction.FAIL, ClosingState.CLOSE_DUE),
    (ClosingState.OPEN, ClosingEvent.END): (ClosingAction.REPORT_LOSS, ClosingState.ENDED),
    (ClosingState.OPEN, ClosingEvent.LOST): (ClosingAction.REPORT_LOSS, ClosingState.GONE),
    (ClosingState.OPEN, ClosingEvent.CLOSE_HERE): (ClosingAction.SEND_CLOSE, ClosingState.CLOSE_SENT),
    (ClosingState.OPEN, ClosingEvent.EXPIRED): (ClosingAction.ABORT, ClosingState.GONE),
    (ClosingState.CLOSE_SENT, ClosingEvent.FRAME): (ClosingAction.DELIVER, ClosingState.CLOSE_SENT),
    (ClosingState.CLOSE_SENT, ClosingEvent.CLOSE): (ClosingAction.END_TCP, ClosingState.CLOSED),
    (ClosingState.CLOSE_SENT, ClosingEvent.BREACH): (ClosingAction.END_TCP, ClosingState.CLOSED),
    (ClosingState.CLOSE_SENT, ClosingEvent.END): (ClosingAction.REPORT_LOSS, ClosingState.CLOSED),
    (ClosingState.CLOSE_SENT, ClosingEvent.LOST): (ClosingAction.REPORT_LOSS, ClosingState.GONE),
    (ClosingState.CLOSE_SENT, ClosingEvent.CLOSE_HERE): (ClosingAction.IGNORE, ClosingState.CLOSE_SENT),
    (ClosingState.CLOSE_SENT, ClosingEvent.EXPIRED): (ClosingAction.ABORT, ClosingState.GONE),
    (ClosingState.CLOSE_DUE, ClosingEvent.FRAME): (ClosingAction.IGNORE, ClosingState.CLOSE_DUE),
    (ClosingState.CLOSE_DUE, ClosingEvent.CLOSE): (ClosingAction.IGNORE, ClosingState.CLOSE_DUE),
    (ClosingState.CLOSE_DUE, ClosingEvent.BREACH): (ClosingAction.IGNORE, ClosingState.CLOSE_DUE),
    (ClosingState.CLOSE_DUE, ClosingEvent.END): (ClosingAction.IGNORE, ClosingState.CLOSE_DUE),
    (ClosingState.CLOSE_DUE, ClosingEvent.LOST): (ClosingAction.IGNORE, ClosingState.GONE),
    (ClosingState.CLOSE_DUE, ClosingEvent.CLOSE_HERE): (ClosingAction.SEND_CLOSE, ClosingState.CLOSED),
    (ClosingState.CLOSE_DUE, ClosingEvent.EXPIRED): (ClosingAction.ABORT, ClosingState.GONE),
    (ClosingState.ENDED, ClosingEvent.LOST): (ClosingAction.IGNORE, ClosingState.GONE),
    (ClosingState.ENDED, ClosingEvent.CLOSE_HERE): (ClosingAction.SEND_CLOSE, ClosingState.CLOSED),
    (ClosingState.ENDED, ClosingEvent.EXPIRED): (ClosingAction.ABORT, ClosingState.GONE),
    (ClosingState.CLOSED, ClosingEvent.FRAME): (ClosingAction.IGNORE, ClosingState.CLOSED),
    (ClosingState.CLOSED, ClosingEvent.CLOSE): (ClosingAction.IGNORE, ClosingState.CLOSED),
    (ClosingState.CLOSED, ClosingEvent.BREACH): (ClosingAction.IGNORE, ClosingState.CLOSED),
    (ClosingState.CLOSED, ClosingEvent.END): (ClosingAction.END_TCP, ClosingState.CLOSED),
    (ClosingState.CLOSED, ClosingEvent.LOST): (ClosingAction.IGNORE, ClosingState.GONE),
    (ClosingState.CLOSED, ClosingEvent.CLOSE_HERE): (ClosingAction.IGNORE, ClosingState.CLOSED),
    (ClosingState.CLOSED, ClosingEvent.EXPIRED): (ClosingAction.ABORT, ClosingState.GONE),
    (ClosingState.GONE, ClosingEvent.FRAME): (ClosingAction.IGNORE, ClosingState.GONE),
    (ClosingState.GONE, ClosingEvent.CLOSE): (ClosingAction.IGNORE, ClosingState.GONE),
    (ClosingState.GONE, ClosingEvent.BREACH): (ClosingAction.IGNORE, ClosingState.GONE),
    (ClosingState.GONE, ClosingEvent.END): (ClosingAction.IGNORE, ClosingState.GONE),
    (ClosingState.GONE, ClosingEvent.LOST): (ClosingAction.IGNORE, ClosingState.GONE),
    (ClosingState.GONE, ClosingEvent.CLOSE_HERE): (ClosingAction.IGNORE, ClosingState.GONE),
    (ClosingState.GONE, ClosingEvent.EXPIRED): (ClosingAction.IGNORE, ClosingState.GONE),
}
"""Missing pairs cannot happen: a stream that has ended has no further events."""


def step(state: ClosingState, event: ClosingEvent) -> tuple[ClosingAction, ClosingState]:
    """Return the action for `event`, and the next state. A `KeyError` is a fault of the caller."""
    return TABLE[state, event]

"""The end of a WebSocket connection, as a table (RFC 6455, 5.5.1, 5.5.2 and 7.1; PROTOCOL.md P-2.8).

The table is about one connection, as the end that reads it sees it: a node and its client, a client and its node, a
gateway and each of the two that it relays between. `HERE` is this end, the peer is the other one.

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
     ENDED       The peer's stream came to its end without a close frame. What this end writes may still be read.
     CLOSED      Nothing more is to be said, by either. TCP has to end.
     GONE        The connection is over.

What follows for all who use it:

 1. What the peer sent before its close frame, its breach or its end is delivered, also where it came in the same read.
 2. What the peer sends after its close frame or its breach is ignored unread: pings and pongs that crossed the close
    frame of this end, a second close frame, broken frames.
 3. No more than one close frame is sent. A breach that is found after that is not told as 1002 as well.
 4. A connection that is lost is known to be lost at once, also when its stream had ended before.

A close frame can only be written where no frame is half written; else `SEND_CLOSE`, `REPLY` and `FAIL` become `ABORT`.

Frames in `OPEN` need no look at the table: whoever relays or delivers them asks it when something else comes. Pure, no
object a connection: keep the state, and call `step`.
"""

import enum


class State(enum.Enum):
    """How far the end of one connection has come; see the module."""

    OPEN = enum.auto()
    CLOSE_SENT = enum.auto()
    CLOSE_DUE = enum.auto()
    ENDED = enum.auto()
    CLOSED = enum.auto()
    GONE = enum.auto()


class Event(enum.Enum):
    """What can happen on one connection."""

    FRAME = enum.auto()  # a frame of the peer that is whole, legal, and no close frame
    CLOSE = enum.auto()  # a close frame of the peer, whole and legal
    BREACH = enum.auto()  # bytes of the peer that break a rule
    END = enum.auto()  # the end of the peer's stream (FIN)
    LOST = enum.auto()  # the connection is over: reset, or both streams ended
    CLOSE_HERE = enum.auto()  # this end sends its close frame: an answer, or the first
    EXPIRED = enum.auto()  # the time for this state is up


class Action(enum.Enum):
    """What this end does about it."""

    DELIVER = enum.auto()  # the frame counts; after a close of this end it depends on why that was sent
    REPLY = enum.auto()  # carry out what came before, then answer the close frame: `CLOSE_HERE`
    FAIL = enum.auto()  # carry out what came before, then send a close frame that tells the breach: `CLOSE_HERE`
    SEND_CLOSE = enum.auto()  # write the close frame
    END_TCP = enum.auto()  # end TCP, after what is still to be written; the server's end does so first
    REPORT_LOSS = enum.auto()  # say that it ended without a close frame of the peer (1006), and end TCP
    IGNORE = enum.auto()  # nothing
    ABORT = enum.auto()  # end TCP at once


TABLE: dict[tuple[State, Event], tuple[Action, State]] = {
    (State.OPEN, Event.FRAME): (Action.DELIVER, State.OPEN),
    (State.OPEN, Event.CLOSE): (Action.REPLY, State.CLOSE_DUE),
    (State.OPEN, Event.BREACH): (Action.FAIL, State.CLOSE_DUE),
    (State.OPEN, Event.END): (Action.REPORT_LOSS, State.ENDED),
    (State.OPEN, Event.LOST): (Action.REPORT_LOSS, State.GONE),
    (State.OPEN, Event.CLOSE_HERE): (Action.SEND_CLOSE, State.CLOSE_SENT),
    (State.OPEN, Event.EXPIRED): (Action.ABORT, State.GONE),
    (State.CLOSE_SENT, Event.FRAME): (Action.DELIVER, State.CLOSE_SENT),
    (State.CLOSE_SENT, Event.CLOSE): (Action.END_TCP, State.CLOSED),
    (State.CLOSE_SENT, Event.BREACH): (Action.END_TCP, State.CLOSED),
    (State.CLOSE_SENT, Event.END): (Action.REPORT_LOSS, State.CLOSED),
    (State.CLOSE_SENT, Event.LOST): (Action.REPORT_LOSS, State.GONE),
    (State.CLOSE_SENT, Event.CLOSE_HERE): (Action.IGNORE, State.CLOSE_SENT),
    (State.CLOSE_SENT, Event.EXPIRED): (Action.ABORT, State.GONE),
    (State.CLOSE_DUE, Event.FRAME): (Action.IGNORE, State.CLOSE_DUE),
    (State.CLOSE_DUE, Event.CLOSE): (Action.IGNORE, State.CLOSE_DUE),
    (State.CLOSE_DUE, Event.BREACH): (Action.IGNORE, State.CLOSE_DUE),
    (State.CLOSE_DUE, Event.END): (Action.IGNORE, State.CLOSE_DUE),
    (State.CLOSE_DUE, Event.LOST): (Action.IGNORE, State.GONE),
    (State.CLOSE_DUE, Event.CLOSE_HERE): (Action.SEND_CLOSE, State.CLOSED),
    (State.CLOSE_DUE, Event.EXPIRED): (Action.ABORT, State.GONE),
    (State.ENDED, Event.LOST): (Action.IGNORE, State.GONE),
    (State.ENDED, Event.CLOSE_HERE): (Action.SEND_CLOSE, State.CLOSED),
    (State.ENDED, Event.EXPIRED): (Action.ABORT, State.GONE),
    (State.CLOSED, Event.FRAME): (Action.IGNORE, State.CLOSED),
    (State.CLOSED, Event.CLOSE): (Action.IGNORE, State.CLOSED),
    (State.CLOSED, Event.BREACH): (Action.IGNORE, State.CLOSED),
    (State.CLOSED, Event.END): (Action.END_TCP, State.CLOSED),
    (State.CLOSED, Event.LOST): (Action.IGNORE, State.GONE),
    (State.CLOSED, Event.CLOSE_HERE): (Action.IGNORE, State.CLOSED),
    (State.CLOSED, Event.EXPIRED): (Action.ABORT, State.GONE),
    (State.GONE, Event.FRAME): (Action.IGNORE, State.GONE),
    (State.GONE, Event.CLOSE): (Action.IGNORE, State.GONE),
    (State.GONE, Event.BREACH): (Action.IGNORE, State.GONE),
    (State.GONE, Event.END): (Action.IGNORE, State.GONE),
    (State.GONE, Event.LOST): (Action.IGNORE, State.GONE),
    (State.GONE, Event.CLOSE_HERE): (Action.IGNORE, State.GONE),
    (State.GONE, Event.EXPIRED): (Action.IGNORE, State.GONE),
}
"""What the table does not name cannot happen: a stream that has ended brings nothing more."""


def step(state: State, event: Event) -> tuple[Action, State]:
    """Return what to do about `event`, and the state after it. A `KeyError` is a fault of the caller."""
    return TABLE[state, event]

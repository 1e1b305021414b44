"""The way of a tunnel from node to node while its client notices nothing, as a table (PROTOCOL.md P-3.11, P-3.12).

    RELAYING ──node moves the session──▶ CLOSING ──client between two messages──┐
       │ │                                                                      │ the node's close is answered
       │ └──backend lost or restarting──────────────────────────────────────────┤
       │                                                                        │
       └──backend to be left──▶ WAITING ──quiet moment──▶ PARTING ──has ended───┤
                                   │                         ▲                  ▼
                                   └──too late──▶ LEAVING ───┘               OPENING
                                                    client between messages     │
    RELAYING ◀──────────────────────────────────the next node has answered 101──┘

    CLOSING   The node's close frame is kept here. What the client sends still goes to the node, up to the end of the
              message under way: a message cannot be continued elsewhere. There the close is answered, so that the node
              knows to the byte what is its own to process.
    WAITING   Both go on as ever, until no answer is under way (`core.quiet`), or that has taken too long.
    LEAVING   As CLOSING, while the node goes on as ever.
    PARTING   A close frame of ours was sent. What the node sends still goes to the client.
    OPENING   The node is left to itself; another is asked for the WebSocket.

In PARTING and OPENING the client is not read. What was read beyond the boundary is held, and goes to the next node
first: the rest of one read, no more. Everything else that can happen ends the tunnel, with 1012 to the client, unless
the node was to be left without need: then it stays.

What the table does not name cannot happen: a node that was left is heard no more, a client that is held neither, and
nobody tells of a next node that was not asked for.
"""

import enum


class MigrationState(enum.Enum):
    """See the module; `OVER` is when this has no part in the tunnel any more."""

    RELAYING = enum.auto()
    CLOSING = enum.auto()
    WAITING = enum.auto()
    LEAVING = enum.auto()
    PARTING = enum.auto()
    OPENING = enum.auto()
    OVER = enum.auto()


class MigrationEvent(enum.Enum):
    """What can happen."""

    MOVED = enum.auto()  # the node's close frame says where the session goes on
    LEAVE = enum.auto()  # the node is to be left
    REMAIN = enum.auto()  # it is not to be left any more
    QUIET = enum.auto()  # no answer is under way, and both are between two messages
    BOUNDARY = enum.auto()  # the client is between two messages
    NODE_OVER = enum.auto()  # the node has closed, or its connection is over; it was between two messages
    NODE_BROKEN = enum.auto()  # the same, within a message
    CLIENT_CLOSED = enum.auto()  # the client's close frame came, where it is awaited within a message
    CLIENT_ENDED = enum.auto()  # its stream is at its end, or its connection lost
    EXPIRED = enum.auto()  # the deadline of this state has passed
    OPENED = enum.auto()  # the next node has taken the WebSocket
    FAILED = enum.auto()  # it has not


class MigrationAction(enum.Enum):
    """What is done about it."""

    WAIT = enum.auto()  # let both go on until it is quiet
    BRAKE = enum.auto()  # let the client come to a boundary
    ANSWER = enum.auto()  # answer the node's close, hold the client, and have the next node asked
    PART = enum.auto()  # hold the client and tell the node goodbye
    OPEN = enum.auto()  # hold the client and have the next node asked
    JOIN = enum.auto()  # relay on, at the next node
    STAY = enum.auto()  # relay on, at the same node: there the event is judged
    ECHO = enum.auto()  # close with the client, as the node would
    FAIL = enum.auto()  # tell the client 1012


TABLE: dict[tuple[MigrationState, MigrationEvent], tuple[MigrationAction, MigrationState]] = {
    (MigrationState.RELAYING, MigrationEvent.MOVED): (MigrationAction.BRAKE, MigrationState.CLOSING),
    (MigrationState.RELAYING, MigrationEvent.NODE_OVER): (MigrationAction.OPEN, MigrationState.OPENING),
    (MigrationState.RELAYING, MigrationEvent.LEAVE): (MigrationAction.WAIT, MigrationState.WAITING),
    (MigrationState.CLOSING, MigrationEvent.BOUNDARY): (MigrationAction.ANSWER, MigrationState.OPENING),
    (MigrationState.CLOSING, MigrationEvent.NODE_OVER): (MigrationAction.FAIL, MigrationState.OVER),
    (MigrationState.CLOSING, MigrationEvent.CLIENT_CLOSED): (MigrationAction.ECHO, MigrationState.OVER),
    (MigrationState.CLOSING, MigrationEvent.CLIENT_ENDED): (MigrationAction.FAIL, MigrationState.OVER),
    (MigrationState.CLOSING, MigrationEvent.EXPIRED): (MigrationAction.FAIL, MigrationState.OVER),
    (MigrationState.WAITING, MigrationEvent.QUIET): (MigrationAction.PART, MigrationState.PARTING),
    (MigrationState.WAITING, MigrationEvent.EXPIRED): (MigrationAction.BRAKE, MigrationState.LEAVING),
    (MigrationState.WAITING, MigrationEvent.REMAIN): (MigrationAction.STAY, MigrationState.OVER),
    (MigrationState.WAITING, MigrationEvent.NODE_OVER): (MigrationAction.STAY, MigrationState.OVER),
    (MigrationState.WAITING, MigrationEvent.NODE_BROKEN): (MigrationAction.STAY, MigrationState.OVER),
    (MigrationState.WAITING, MigrationEvent.CLIENT_CLOSED): (MigrationAction.STAY, MigrationState.OVER),
    (MigrationState.WAITING, MigrationEvent.CLIENT_ENDED): (MigrationAction.STAY, MigrationState.OVER),
    (MigrationState.LEAVING, MigrationEvent.BOUNDARY): (MigrationAction.PART, MigrationState.PARTING),
    (MigrationState.LEAVING, MigrationEvent.NODE_OVER): (MigrationAction.STAY, MigrationState.OVER),
    (MigrationState.LEAVING, MigrationEvent.NODE_BROKEN): (MigrationAction.STAY, MigrationState.OVER),
    (MigrationState.LEAVING, MigrationEvent.CLIENT_CLOSED): (MigrationAction.STAY, MigrationState.OVER),
    (MigrationState.LEAVING, MigrationEvent.CLIENT_ENDED): (MigrationAction.STAY, MigrationState.OVER),
    (MigrationState.LEAVING, MigrationEvent.EXPIRED): (MigrationAction.STAY, MigrationState.OVER),
    (MigrationState.PARTING, MigrationEvent.NODE_OVER): (MigrationAction.OPEN, MigrationState.OPENING),
    (MigrationState.PARTING, MigrationEvent.NODE_BROKEN): (MigrationAction.FAIL, MigrationState.OVER),
    (MigrationState.PARTING, MigrationEvent.CLIENT_ENDED): (MigrationAction.FAIL, MigrationState.OVER),
    (MigrationState.OPENING, MigrationEvent.OPENED): (MigrationAction.JOIN, MigrationState.OVER),
    (MigrationState.OPENING, MigrationEvent.FAILED): (MigrationAction.FAIL, MigrationState.OVER),
    (MigrationState.OPENING, MigrationEvent.CLIENT_ENDED): (MigrationAction.FAIL, MigrationState.OVER),
    (MigrationState.OPENING, MigrationEvent.EXPIRED): (MigrationAction.FAIL, MigrationState.OVER),
}

WHY = {
    MigrationEvent.NODE_OVER: "node_lost",
    MigrationEvent.NODE_BROKEN: "message",
    MigrationEvent.CLIENT_ENDED: "client",
    MigrationEvent.EXPIRED: "timeout",
}
"""Why it failed, in the words of `Stats.moves_failed`; the next node's failure brings its own."""

"""Departure of a relay from its node, as a machine (PROTOCOL.md P-3.11, P-3.12).

The relay goes on at a next node, and its client notices nothing. Or, if the two share a state that no other node has,
the client is closed as planned, and comes back by itself (`closes`).

    RELAYING ──node moves the session──▶ CLOSING ──client between two messages──┐
       │ │                                                                      │ the node's close is answered
       │ └──backend lost or restarting──────────────────────────────────────────┤
       │                                                                        │
       └──backend to be left──▶ WAITING ──quiet moment──▶ ENDING ───has ended───┤
                                 │    │                      ▲ │                ▼
                                 │    └──too late─▶ LEAVING ─┘ │ has ended   OPENING
                                 │      client between messages│                │
                                 └──quiet moment──▶ closed ◀───┘                │
    RELAYING ◀──────────────────────────────────the next node has answered 101──┘

    CLOSING   The node's close frame is kept here. What the client sends still goes to the node, up to the end of the
              message under way: a message cannot be continued at a different node. There the close is answered, so that
              the node knows to the byte which data it has to process.
    WAITING   Both ends go on as before, until no answer is under way (`core.quiet`), or the wait was too long.
    LEAVING   As CLOSING, while the node goes on as before.
    ENDING    The relay has sent the node a close frame. The node's messages still go to the client.
    OPENING   The node is left; the relay opens the WebSocket at the next node.
    closed    The client is told to come back, and the node goodbye. At a quiet moment nothing is under way, and this is
              done at once: a client that asks again behind each answer then reads the close before it asks. After a
              wait that was too long the node first sends what it has.

In ENDING and OPENING the client is not read. Data that was read beyond the boundary (the rest of one read, no more) is
held, and goes to the next node first; it is dropped if the client is closed instead: the node does not read any more.
All other events end the relay, with 1012 to the client; but a relay that was to leave its node without need stays
there.

The shell reports events, and carries the actions out in their order. An event that the table does not name cannot
happen: the shell does not read a node that was left, does not read a client that is held, and receives answers only
from next nodes that it has asked.
"""

import enum
from dataclasses import dataclass
from typing import Final, TypeAlias


class MigrationState(enum.Enum):
    """The state of a relay's migration; `OVER`: the migration has ended, at the former or the next node."""

    RELAYING = enum.auto()
    CLOSING = enum.auto()
    WAITING = enum.auto()
    LEAVING = enum.auto()
    ENDING = enum.auto()
    OPENING = enum.auto()
    OVER = enum.auto()


class MigrationEvent(enum.Enum):
    """An event of a relay."""

    MOVED = enum.auto()  # the node's close frame names the node where the session goes on
    LEAVE = enum.auto()  # the node is to be left at a quiet moment
    LEAVE_NOW = enum.auto()  # the node is to be left without waiting for a quiet moment
    REMAIN = enum.auto()  # the node is not to be left any more
    QUIET = enum.auto()  # no answer is under way, and both ends are between two messages
    BOUNDARY = enum.auto()  # the client is between two messages
    NODE_CLOSED = enum.auto()  # the node's close frame came, without a next node; the node was between messages
    NODE_LOST = enum.auto()  # the node's stream has ended without a close frame, between two messages
    NODE_BROKEN = enum.auto()  # the node's stream has ended, or its close frame came, within a message
    CLIENT_CLOSED = enum.auto()  # the client's close frame came before the client was held
    CLIENT_ENDED = enum.auto()  # the client's stream has ended, or its connection is lost
    DISMISSED = enum.auto()  # the client is to come back by itself: at a quiet moment, or after the node's last message
    EXPIRED = enum.auto()  # the deadline of the state has passed
    OPENED = enum.auto()  # the next node has accepted the WebSocket
    FAILED = enum.auto()  # no next node has accepted the WebSocket


class MigrationLimit(enum.Enum):
    """The bound of the time in a state."""

    MOVE = enum.auto()  # a whole move of a session: the client's message, and the next node's answer
    QUIET = enum.auto()  # the wait for a quiet moment
    MESSAGE = enum.auto()  # the rest of the client's message
    GOODBYE = enum.auto()  # the node's answer to our close frame
    REOPEN = enum.auto()  # the search for a different backend


@dataclass(frozen=True, slots=True)
class SetDeadline:
    """Report EXPIRED when the time of `limit` has passed. It replaces an earlier deadline."""

    limit: MigrationLimit


@dataclass(frozen=True, slots=True)
class AwaitQuiet:
    """Report QUIET at a quiet moment; both ends go on."""


@dataclass(frozen=True, slots=True)
class AwaitBoundary:
    """Pass the client's message under way on to its end, hold the data after it, and report BOUNDARY."""


@dataclass(frozen=True, slots=True)
class HoldClient:
    """Stop reading the client; hold the data that was read already."""


@dataclass(frozen=True, slots=True)
class SayGoodbye:
    """Send the node a close frame."""


@dataclass(frozen=True, slots=True)
class LeaveNode:
    """Leave the node, and open the next node. `answers`: answer the node's close frame before.

    `planned`: the relay chose the moment itself, so other relays do not leave the node at once.
    """

    answers: bool = False
    planned: bool = False


@dataclass(frozen=True, slots=True)
class JoinNext:
    """Go on at the next node, which gets the held data first."""


@dataclass(frozen=True, slots=True)
class StayAtNode:
    """Go on at the same node; the event has its usual effect."""


@dataclass(frozen=True, slots=True)
class CloseWithClient:
    """Answer the client's close frame, as the node would."""


@dataclass(frozen=True, slots=True)
class CloseClient:
    """Close the client as planned: it comes back by itself, to a different node."""


@dataclass(frozen=True, slots=True)
class FailMigration:
    """Close the client with 1012. `cause` is a value of the metric `moves_failed`; empty: the next node's own cause."""

    cause: str = ""


MigrationAction: TypeAlias = (
    SetDeadline | AwaitQuiet | AwaitBoundary | HoldClient | SayGoodbye | LeaveNode | JoinNext | StayAtNode
    | CloseWithClient | CloseClient | FailMigration
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class MigrationStep:
    """The result of one event: the next state, and the actions in their order."""

    state: MigrationState
    actions: tuple[MigrationAction, ...]


def _step(state: MigrationState, *actions: MigrationAction) -> MigrationStep:
    return MigrationStep(state, actions)


_S: Final = MigrationState
_E: Final = MigrationEvent
_L: Final = MigrationLimit

_AFTER_MESSAGE = (SetDeadline(_L.MESSAGE), AwaitBoundary())
_GOODBYE = _step(_S.ENDING, HoldClient(), SetDeadline(_L.GOODBYE), SayGoodbye())
_REOPEN = (HoldClient(), SetDeadline(_L.REOPEN))
_STAY = _step(_S.OVER, StayAtNode())
_LOST = _step(_S.OVER, FailMigration("node_lost"))
_HALF = _step(_S.OVER, FailMigration("message"))
_GONE = _step(_S.OVER, FailMigration("client"))
_LATE = _step(_S.OVER, FailMigration("timeout"))

_NODE_OVER: Final = frozenset({_E.NODE_CLOSED, _E.NODE_LOST, _E.NODE_BROKEN})

MIGRATION_TABLE: dict[tuple[MigrationState, MigrationEvent], MigrationStep] = {
    (_S.RELAYING, _E.MOVED): _step(_S.CLOSING, SetDeadline(_L.MOVE), AwaitBoundary()),
    (_S.RELAYING, _E.NODE_CLOSED): _step(_S.OPENING, *_REOPEN, LeaveNode(answers=True)),
    (_S.RELAYING, _E.NODE_LOST): _step(_S.OPENING, *_REOPEN, LeaveNode()),
    (_S.RELAYING, _E.LEAVE): _step(_S.WAITING, SetDeadline(_L.QUIET), AwaitQuiet()),
    (_S.RELAYING, _E.LEAVE_NOW): _step(_S.LEAVING, *_AFTER_MESSAGE),
    (_S.CLOSING, _E.BOUNDARY): _step(_S.OPENING, HoldClient(), LeaveNode(answers=True)),
    (_S.CLOSING, _E.NODE_LOST): _LOST,
    (_S.CLOSING, _E.CLIENT_CLOSED): _step(_S.OVER, CloseWithClient()),
    (_S.CLOSING, _E.CLIENT_ENDED): _GONE,
    (_S.CLOSING, _E.EXPIRED): _LATE,
    (_S.WAITING, _E.QUIET): _GOODBYE,
    (_S.WAITING, _E.DISMISSED): _step(_S.OVER, CloseClient()),
    (_S.WAITING, _E.EXPIRED): _step(_S.LEAVING, *_AFTER_MESSAGE),
    (_S.WAITING, _E.REMAIN): _STAY,
    (_S.WAITING, _E.NODE_CLOSED): _STAY,
    (_S.WAITING, _E.NODE_LOST): _STAY,
    (_S.WAITING, _E.NODE_BROKEN): _STAY,
    (_S.WAITING, _E.CLIENT_CLOSED): _STAY,
    (_S.WAITING, _E.CLIENT_ENDED): _STAY,
    (_S.LEAVING, _E.BOUNDARY): _GOODBYE,
    (_S.LEAVING, _E.NODE_CLOSED): _STAY,
    (_S.LEAVING, _E.NODE_LOST): _STAY,
    (_S.LEAVING, _E.NODE_BROKEN): _STAY,
    (_S.LEAVING, _E.CLIENT_CLOSED): _STAY,
    (_S.LEAVING, _E.CLIENT_ENDED): _STAY,
    (_S.LEAVING, _E.EXPIRED): _STAY,
    (_S.ENDING, _E.NODE_CLOSED): _step(_S.OPENING, *_REOPEN, LeaveNode(planned=True)),
    (_S.ENDING, _E.NODE_LOST): _step(_S.OPENING, *_REOPEN, LeaveNode(planned=True)),
    (_S.ENDING, _E.NODE_BROKEN): _HALF,
    (_S.ENDING, _E.DISMISSED): _step(_S.OVER, CloseClient()),
    (_S.ENDING, _E.CLIENT_ENDED): _GONE,
    (_S.OPENING, _E.OPENED): _step(_S.OVER, JoinNext()),
    (_S.OPENING, _E.FAILED): _step(_S.OVER, FailMigration()),
    (_S.OPENING, _E.CLIENT_ENDED): _GONE,
    (_S.OPENING, _E.EXPIRED): _LATE,
}
"""By state and event, the next state and the action."""


class MigrationMachine:
    """The migration of one relay. Every method that reports an event returns the actions that follow from it.

    `closes`: when the node is left as planned the client is closed, and no next node is opened.
    """

    __slots__ = ("closes", "state")

    def __init__(self, *, closes: bool = False) -> None:
        self.state = MigrationState.RELAYING
        self.closes = closes

    def report(self, event: MigrationEvent) -> tuple[MigrationAction, ...]:
        """Return the actions for `event`."""
        if self.closes and self.state is MigrationState.ENDING and event in _NODE_OVER:
            event = MigrationEvent.DISMISSED
        step = MIGRATION_TABLE[self.state, event]
        self.state = step.state
        return step.actions

    def report_breach(self, *, of_client: bool, node_whole: bool) -> tuple[MigrationAction, ...]:
        """Return the actions if a peer breaks the framing; no action if that is the relay's own decision.

        A client that is not held yet counts as closed. So does a node that was sent a goodbye; `node_whole`: the node
        was between two messages.
        """
        state = self.state
        if of_client and state in (MigrationState.WAITING, MigrationState.LEAVING):
            return self.report(MigrationEvent.CLIENT_CLOSED)
        if not of_client and state is MigrationState.ENDING:
            return self.report(node_over(closed=False, whole=node_whole))
        return ()

    def report_expiry(self, *, wanted: bool, node_whole: bool) -> tuple[MigrationAction, ...]:
        """Return the actions when the deadline of the state has passed.

        `wanted`: the node is still to be left. A node that does not answer a goodbye in time counts as lost.
        """
        if self.state is MigrationState.ENDING:
            return self.report(node_over(closed=False, whole=node_whole))
        if self.state is MigrationState.WAITING and not wanted:
            return self.report(MigrationEvent.REMAIN)
        return self.report(MigrationEvent.EXPIRED)

    def report_quiet(self, *, wanted: bool) -> tuple[MigrationAction, ...]:
        """Return the actions at a quiet moment. `wanted`: the node is still to be left."""
        if not wanted:
            return self.report(MigrationEvent.REMAIN)
        return self.report(MigrationEvent.DISMISSED if self.closes else MigrationEvent.QUIET)

    def finish(self) -> None:
        """End the machine: the relay was ended, and further events have no actions."""
        self.state = MigrationState.OVER


def node_over(*, closed: bool, whole: bool) -> MigrationEvent:
    """Return the event of a node that sends no more data.

    `closed`: its close frame came. `whole`: it was between two messages.
    """
    if not whole:
        return MigrationEvent.NODE_BROKEN
    return MigrationEvent.NODE_CLOSED if closed else MigrationEvent.NODE_LOST

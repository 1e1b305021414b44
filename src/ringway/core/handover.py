"""Hand-over of one session between two nodes, as two tables: the donor's actions, and the target's actions.

Theory of operation. A session is served by at most one node at any time. The donor asks the target to prepare: the
target subscribes ahead and stores arriving publications. Then the donor cuts, in one turn of its loop: the client
leaves every channel, the position in each is recorded, the close frame with the move is sent. Commands that the client
sent before it answered that frame are carried out, or stored. When the client has answered and no command is under way
any more, the donor sends the positions and commands to the target (the commit). The target serves the session when the
commit and the client have both come, in either order. Any other course ends in a plain close, after which the client
reconnects and recovers as after a crash.

    donor                                            target
    PREPARING ── prepare ──────────────────────────▶ PREPARED
        │ ◀──────────────────────────── prepared ──     │
    CLOSING ── close 1012 `move target ticket` ─▶ client
        │                                               │
    ANSWERED or SETTLED, by the first event             ├──▶ WAITING, if the client comes first
        │                                               │        │
    COMMITTING ── commit ──────────────────────────▶ COMMITTED   │
        │ ◀───────────────────────────── committed ──   │        │
      OVER                                            SERVED ◀───┘

Invariants: only CLOSING cuts, and a target serves a session only by a commit that follows a cut. A commit is accepted
once; so is a client. A node that has given up a hand-over does not serve its session. An event without a row is
refused: it came late, twice, or from a stranger.
"""

import enum


class DonorState(enum.Enum):
    """The state of a hand-over at the donor of the session."""

    PREPARING = enum.auto()  # the target was asked; the client is served as ever
    CLOSING = enum.auto()  # cut, and the close frame was sent
    ANSWERED = enum.auto()  # the client has answered it; a command is still under way
    SETTLED = enum.auto()  # no command is under way; the client has not answered yet
    COMMITTING = enum.auto()  # the commit is on the way to the target
    OVER = enum.auto()


class DonorEvent(enum.Enum):
    """An event that the donor of a session sees."""

    PREPARED = enum.auto()  # the target has agreed
    REFUSED = enum.auto()  # the target has refused, or did not answer in time
    ANSWERED = enum.auto()  # the client answered the close frame
    SETTLED = enum.auto()  # no command of the session is under way any more
    LOST = enum.auto()  # the client's socket is closed
    LATE = enum.auto()  # a command under way did not end in time, or failed
    TOLD = enum.auto()  # the target has accepted the commit, has refused it, or did not answer


class DonorAction(enum.Enum):
    """The action of the donor of a session."""

    NOTHING = enum.auto()
    CUT = enum.auto()  # leave every channel, and close the client with the move
    KEEP = enum.auto()  # go on serving the client
    COMMIT = enum.auto()  # send the commit to the target
    ABANDON = enum.auto()  # tell the target that no client will come
    END = enum.auto()  # forget the session


DONOR_TABLE: dict[tuple[DonorState, DonorEvent], tuple[DonorState, DonorAction]] = {
    (DonorState.PREPARING, DonorEvent.PREPARED): (DonorState.CLOSING, DonorAction.CUT),
    (DonorState.PREPARING, DonorEvent.REFUSED): (DonorState.OVER, DonorAction.KEEP),
    (DonorState.PREPARING, DonorEvent.LOST): (DonorState.OVER, DonorAction.ABANDON),
    (DonorState.CLOSING, DonorEvent.ANSWERED): (DonorState.ANSWERED, DonorAction.NOTHING),
    (DonorState.CLOSING, DonorEvent.SETTLED): (DonorState.SETTLED, DonorAction.NOTHING),
    (DonorState.CLOSING, DonorEvent.LOST): (DonorState.OVER, DonorAction.ABANDON),
    (DonorState.CLOSING, DonorEvent.LATE): (DonorState.OVER, DonorAction.ABANDON),
    (DonorState.ANSWERED, DonorEvent.SETTLED): (DonorState.COMMITTING, DonorAction.COMMIT),
    (DonorState.ANSWERED, DonorEvent.LOST): (
        DonorState.ANSWERED,
        DonorAction.NOTHING,
    ),  # the client had answered, so its socket is expected to end
    (DonorState.ANSWERED, DonorEvent.LATE): (DonorState.OVER, DonorAction.ABANDON),
    (DonorState.SETTLED, DonorEvent.ANSWERED): (DonorState.COMMITTING, DonorAction.COMMIT),
    (DonorState.SETTLED, DonorEvent.LOST): (DonorState.OVER, DonorAction.ABANDON),
    (DonorState.SETTLED, DonorEvent.LATE): (DonorState.OVER, DonorAction.ABANDON),
    (DonorState.COMMITTING, DonorEvent.LOST): (DonorState.COMMITTING, DonorAction.NOTHING),
    (DonorState.COMMITTING, DonorEvent.TOLD): (DonorState.OVER, DonorAction.END),
}
"""By state and event, the next state and the action."""


class TargetState(enum.Enum):
    """The state of a hand-over at the target of the session."""

    PREPARED = enum.auto()  # subscribed ahead; neither the commit nor the client is here
    COMMITTED = enum.auto()  # the commit is here
    WAITING = enum.auto()  # the client is here
    SERVED = enum.auto()  # both are here: the session goes on
    OVER = enum.auto()


class TargetEvent(enum.Enum):
    """An event that the target of a session sees."""

    COMMIT = enum.auto()
    CLIENT = enum.auto()  # the client has come, with the ticket
    ABANDONED = enum.auto()  # the donor says that no client will come
    EXPIRED = enum.auto()  # the time for the client or the commit is over
    LOST = enum.auto()  # the client that waited is gone


class TargetAction(enum.Enum):
    """The action of the target of a session."""

    NOTHING = enum.auto()
    SERVE = enum.auto()  # send the missed publications, carry out the commands that were left, go on
    RELEASE = enum.auto()  # give up the prepared session
    REFUSE = enum.auto()  # the same, and close the client that waits


TARGET_TABLE: dict[tuple[TargetState, TargetEvent], tuple[TargetState, TargetAction]] = {
    (TargetState.PREPARED, TargetEvent.COMMIT): (TargetState.COMMITTED, TargetAction.NOTHING),
    (TargetState.PREPARED, TargetEvent.CLIENT): (TargetState.WAITING, TargetAction.NOTHING),
    (TargetState.PREPARED, TargetEvent.ABANDONED): (TargetState.OVER, TargetAction.RELEASE),
    (TargetState.PREPARED, TargetEvent.EXPIRED): (TargetState.OVER, TargetAction.RELEASE),
    (TargetState.COMMITTED, TargetEvent.CLIENT): (TargetState.SERVED, TargetAction.SERVE),
    (TargetState.COMMITTED, TargetEvent.EXPIRED): (TargetState.OVER, TargetAction.RELEASE),
    (TargetState.WAITING, TargetEvent.COMMIT): (TargetState.SERVED, TargetAction.SERVE),
    (TargetState.WAITING, TargetEvent.ABANDONED): (TargetState.OVER, TargetAction.REFUSE),
    (TargetState.WAITING, TargetEvent.EXPIRED): (TargetState.OVER, TargetAction.REFUSE),
    (TargetState.WAITING, TargetEvent.LOST): (TargetState.OVER, TargetAction.RELEASE),
}
"""By state and event, the next state and the action."""


def step_donor(state: DonorState, seen: DonorEvent) -> tuple[DonorState, DonorAction] | None:
    """Return the donor's next state and its action; None for an event without a meaning in `state`."""
    return DONOR_TABLE.get((state, seen))


def step_target(state: TargetState, heard: TargetEvent) -> tuple[TargetState, TargetAction] | None:
    """Return the target's next state and its action; None for an event that is to be refused in `state`."""
    return TARGET_TABLE.get((state, heard))

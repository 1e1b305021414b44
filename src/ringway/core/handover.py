"""The hand-over of one session from a node to another, as two tables: what the donor does, and what the target does.

Theory of operation. A session is served by one node at any time, and between two of them by none. The donor asks the
target to prepare: the target subscribes ahead and keeps what comes. Then the donor cuts, in one turn of its loop: the
client leaves every channel, the position in each is written down, the close frame with the move leaves. What the
client had sent before it answered that frame is carried out, or kept. When the client has answered and no command is
under way any more, the donor tells the target all of it (the commit). The target serves the session when it has heard
the commit and the client has come, in whatever order; everything else ends in a plain close, after which the client
reconnects and recovers as it would after a crash.

    donor                                            target
    PREPARING ── prepare ──────────────────────────▶ PREPARED
        │ ◀──────────────────────────── prepared ──     │
    CLOSING ── close 1012 `move target ticket` ─▶ client
        │                                               │
    ANSWERED or SETTLED, whichever comes first          ├──▶ WAITING, where the client comes first
        │                                               │        │
    COMMITTING ── commit ──────────────────────────▶ COMMITTED   │
        │ ◀───────────────────────────── committed ──   │        │
      OVER                                            SERVED ◀───┘

Invariants: nothing but CLOSING cuts, and nothing but a commit that follows a cut makes a session be served. A commit is
taken once; so is a client. Neither node serves a session whose hand-over it has given up. An event that has no row
is refused: it comes late, twice, or from nobody.
"""

import enum


class Donor(enum.Enum):
    """How far the donor of a session has come."""

    PREPARING = enum.auto()  # the target was asked; the client is served as ever
    CLOSING = enum.auto()  # cut, and the close frame was sent
    ANSWERED = enum.auto()  # the client has answered it; a command is still under way
    SETTLED = enum.auto()  # no command is under way; the client has not answered yet
    COMMITTING = enum.auto()  # the target is being told everything
    OVER = enum.auto()


class Seen(enum.Enum):
    """What the donor of a session sees happen."""

    PREPARED = enum.auto()  # the target has agreed
    REFUSED = enum.auto()  # it has not, or did not answer in time
    ANSWERED = enum.auto()  # the client answered the close frame
    SETTLED = enum.auto()  # no command of the session is under way any more
    LOST = enum.auto()  # the client's socket is closed
    LATE = enum.auto()  # a command under way did not end in time, or failed
    TOLD = enum.auto()  # the target has taken the commit, has refused it, or did not answer


class Deed(enum.Enum):
    """What the donor of a session does."""

    NOTHING = enum.auto()
    CUT = enum.auto()  # leave every channel, and close the client with the move
    KEEP = enum.auto()  # go on serving the client
    COMMIT = enum.auto()  # tell the target everything
    ABANDON = enum.auto()  # tell the target that nobody will come
    END = enum.auto()  # forget the session


DONOR: dict[tuple[Donor, Seen], tuple[Donor, Deed]] = {
    (Donor.PREPARING, Seen.PREPARED): (Donor.CLOSING, Deed.CUT),
    (Donor.PREPARING, Seen.REFUSED): (Donor.OVER, Deed.KEEP),
    (Donor.PREPARING, Seen.LOST): (Donor.OVER, Deed.ABANDON),
    (Donor.CLOSING, Seen.ANSWERED): (Donor.ANSWERED, Deed.NOTHING),
    (Donor.CLOSING, Seen.SETTLED): (Donor.SETTLED, Deed.NOTHING),
    (Donor.CLOSING, Seen.LOST): (Donor.OVER, Deed.ABANDON),
    (Donor.CLOSING, Seen.LATE): (Donor.OVER, Deed.ABANDON),
    (Donor.ANSWERED, Seen.SETTLED): (Donor.COMMITTING, Deed.COMMIT),
    (Donor.ANSWERED, Seen.LOST): (Donor.ANSWERED, Deed.NOTHING),  # it had answered: its socket is meant to end
    (Donor.ANSWERED, Seen.LATE): (Donor.OVER, Deed.ABANDON),
    (Donor.SETTLED, Seen.ANSWERED): (Donor.COMMITTING, Deed.COMMIT),
    (Donor.SETTLED, Seen.LOST): (Donor.OVER, Deed.ABANDON),
    (Donor.SETTLED, Seen.LATE): (Donor.OVER, Deed.ABANDON),
    (Donor.COMMITTING, Seen.LOST): (Donor.COMMITTING, Deed.NOTHING),
    (Donor.COMMITTING, Seen.TOLD): (Donor.OVER, Deed.END),
}
"""By state and event, the next state and what is done."""


class Target(enum.Enum):
    """How far the target of a session has come."""

    PREPARED = enum.auto()  # subscribed ahead; neither the commit nor the client is here
    COMMITTED = enum.auto()  # the commit is here
    WAITING = enum.auto()  # the client is here
    SERVED = enum.auto()  # both: the session lives on
    OVER = enum.auto()


class Heard(enum.Enum):
    """What the target of a session sees happen."""

    COMMIT = enum.auto()
    CLIENT = enum.auto()  # it has come, with the ticket
    ABANDONED = enum.auto()  # the donor says that nobody will come
    EXPIRED = enum.auto()  # the time for the client or the commit is over
    LOST = enum.auto()  # the client that waited is gone


class Step(enum.Enum):
    """What the target of a session does."""

    NOTHING = enum.auto()
    SERVE = enum.auto()  # send what was missed, carry out what was left, go on
    RELEASE = enum.auto()  # give up what was prepared
    REFUSE = enum.auto()  # the same, and close the client that waits


TARGET: dict[tuple[Target, Heard], tuple[Target, Step]] = {
    (Target.PREPARED, Heard.COMMIT): (Target.COMMITTED, Step.NOTHING),
    (Target.PREPARED, Heard.CLIENT): (Target.WAITING, Step.NOTHING),
    (Target.PREPARED, Heard.ABANDONED): (Target.OVER, Step.RELEASE),
    (Target.PREPARED, Heard.EXPIRED): (Target.OVER, Step.RELEASE),
    (Target.COMMITTED, Heard.CLIENT): (Target.SERVED, Step.SERVE),
    (Target.COMMITTED, Heard.EXPIRED): (Target.OVER, Step.RELEASE),
    (Target.WAITING, Heard.COMMIT): (Target.SERVED, Step.SERVE),
    (Target.WAITING, Heard.ABANDONED): (Target.OVER, Step.REFUSE),
    (Target.WAITING, Heard.EXPIRED): (Target.OVER, Step.REFUSE),
    (Target.WAITING, Heard.LOST): (Target.OVER, Step.RELEASE),
}
"""By state and event, the next state and what is done."""


def next_deed(state: Donor, seen: Seen) -> tuple[Donor, Deed] | None:
    """Return the donor's next state and what it does; None for an event that means nothing in `state`."""
    return DONOR.get((state, seen))


def next_step(state: Target, heard: Heard) -> tuple[Target, Step] | None:
    """Return the target's next state and what it does; None for an event that is to be refused in `state`."""
    return TARGET.get((state, heard))

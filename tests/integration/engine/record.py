"""Records of members while engine servers fail, which `judge` reads. All times are of the machine's monotonic clock.

A member may be a process of its own: its record travels as JSON.
"""

import msgspec


class Sent(msgspec.Struct):
    """One publication, from the first attempt to the engine's word."""

    channel: str
    number: int
    """Grows by one for each of this member's in the channel."""
    began: float
    ended: float = 0.0
    """0: the engine never confirmed it."""
    epoch: str = ""
    offset: int = 0
    attempts: int = 0


class Seen(msgspec.Struct):
    """An event of a channel: a publication, or with an empty `payload` a new beginning after `offset`."""

    at: float
    channel: str
    epoch: str
    offset: int
    payload: str = ""


class Held(msgspec.Struct):
    """A time for which a member was certain to hold the lease: from the engine's word on."""

    holder: str
    fence: int
    asked: float
    since: float
    until: float


class Heard(msgspec.Struct):
    """A report of a member that was heard."""

    at: float
    member: str
    announced: float


class Record(msgspec.Struct):
    """The record of a member."""

    name: str
    sent: list[Sent] = []
    seen: list[Seen] = []
    held: list[Held] = []
    heard: list[Heard] = []
    problems: list[str] = []
    """Problems that no fault of a server excuses."""

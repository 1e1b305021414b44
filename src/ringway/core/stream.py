"""Stream of one channel on one node: the position of its deliveries, and the gaps to be filled from history.

Theory. Each publication comes from the engine with its `offset` and with the offset of the publication before it in the
channel (`previous`). A node that has delivered everything up to `position` may deliver a publication whose predecessor
it has: `previous <= position`. (A `previous` of 0 says that no earlier publication is kept: the last delivered one has
expired meanwhile. And a position may be greater than any offset in the channel: the position of a subscriber that
joined an empty channel.) Otherwise publications between them are missing; the stream is *behind*: arriving publications
are held back until history has filled the gap.

While live publications arrive, their offsets grow. An offset that is not greater than `position` is a duplicate only if
history was ahead of the engine's delivery; in any other case the offsets have begun anew, and the stream is behind.

    unknown ──begin──▶ following ──gap, doubt──▶ behind ──caught_up──▶ following
                           ▲                        │
                           └────────begin───────────┘ the rest cannot be proved: the subscribers are told

Publications of a channel without history have no offsets: `heard` holds the newest sequence number of each origin,
which has the same meaning for the publications of one node. With an offset, `told` holds the newest number of each
origin that was delivered: numbers grow with offsets, so a stranger that stores a publication again is found out.

Invariants: offsets are delivered in ascending order, each once. Between two delivered offsets without a `begin` between
them, no publication of the channel is missing.
Overflow rules: held publications are bounded by `held_bytes_max`; beyond that the newest is dropped and read later.
`heard` and `told` have at most `HEARD_MAX` origins; beyond that the oldest entry is forgotten.
"""

import enum
from collections.abc import Sequence

import msgspec

from ringway.core.replay_buffer import ReplayBuffer

UNKNOWN = -1
"""The `expected` of a stream that may not deliver: no publication has this predecessor."""

HEARD_MAX = 1024
"""The number of origins of a channel that are remembered."""

Offered = tuple[int, bytes]
"""Offset and payload of a publication that may be delivered now."""


class Cut(msgspec.Struct, frozen=True, omit_defaults=True):
    """The position up to which a channel was delivered on one node; a session carries it to its next node."""

    epoch: str = ""
    offset: int = 0
    heard: dict[str, int] = {}
    """For messages without an offset: the newest sequence number, by origin in hexadecimal digits."""


class StreamVerdict(enum.Enum):
    """The decision about a publication that arrived."""

    DELIVER = enum.auto()
    DROP = enum.auto()  # it was delivered before
    HELD = enum.auto()  # the stream is behind: read history since `position`


class ChannelStream:
    """One channel on one node. `kept`: the channel has history; a channel without history is never behind."""

    __slots__ = (
        "_ahead",
        "_held",
        "_held_bytes",
        "_seen",
        "_spilt",
        "buffer",
        "epoch",
        "expected",
        "heard",
        "kept",
        "position",
        "proven",
        "told",
    )

    def __init__(self, *, kept: bool) -> None:
        self.kept = kept
        self.epoch = ""  # empty until the stream has begun
        self.position = 0  # all publications up to this offset have been delivered
        self.proven = 0  # the engine has confirmed completeness up to this offset; `position` may be greater
        self.expected = UNKNOWN  # equals `position` while publications are followed
        self.heard: dict[bytes, bytes] = {}  # for messages without an offset: newest sequence number, by origin
        self.told: dict[bytes, bytes] = {}  # for publications with an offset: newest delivered number, by origin
        self.buffer: ReplayBuffer | None = None  # only while it has a holder
        self._ahead = 0  # history was ahead of the arrived publications up to this offset: duplicates may follow
        self._seen = 0  # the last of these duplicates that arrived
        self._held: list[tuple[int, int, bytes]] = []
        self._held_bytes = 0
        self._spilt = False  # True if more publications arrived than may be held

    @property
    def is_behind(self) -> bool:
        """True if history must be read before the next delivery."""
        return self.expected == UNKNOWN and bool(self.epoch)

    def follow(self, offset: int) -> None:
        """Record that the publication at `offset`, whose `previous` was `expected`, is delivered."""
        self.position = self.expected = offset

    def take_publication(self, offset: int, previous: int, payload: bytes, held_bytes_max: int) -> StreamVerdict:
        """Judge a publication that arrived. `begin` or `caught_up` return the `HELD` publications later."""
        if not self.kept:
            return StreamVerdict.DELIVER
        if self.expected == UNKNOWN:
            return self._hold(offset, previous, payload, held_bytes_max)
        if offset <= self.position:
            if self._seen < offset <= self._ahead:
                self._seen = offset
                return StreamVerdict.DROP
            self.doubt()  # offsets do not go back: they have begun anew
            return self._hold(offset, previous, payload, held_bytes_max)
        if previous <= self.position:
            self.follow(offset)
            return StreamVerdict.DELIVER
        self.doubt()
        return self._hold(offset, previous, payload, held_bytes_max)

    def doubt(self) -> None:
        """Stop deliveries until history was asked: there is a gap, or the engine has been away."""
        self.expected = UNKNOWN

    def hear(self, origin: bytes, seq: bytes) -> None:
        """Record the newest message of `origin` that has no offset."""
        _note(self.heard, origin, seq)

    def tell(self, origin: bytes, seq: bytes) -> None:
        """Record the newest publication of `origin` with an offset that is delivered."""
        _note(self.told, origin, seq)

    def is_repeated(self, origin: bytes, seq: bytes) -> bool:
        """True if a publication after `position` was delivered before, with a smaller offset: it was stored again."""
        return seq <= self.told.get(origin, b"")

    def cut(self) -> Cut:
        """The position up to which the channel was delivered."""
        heard = {origin.hex(): int.from_bytes(seq, "big") for origin, seq in self.heard.items()}
        return Cut(self.epoch, self.position, heard)

    def begin(self, epoch: str, offset: int) -> list[Offered]:
        """Begin anew at `offset` of `epoch`; return the held publications that may be delivered."""
        if self.epoch not in ("", epoch) and self._held:
            self._held.clear()  # maybe of the old epoch: history returns the held publications again
            self._spilt = True
        self.epoch = epoch
        self.position = self.proven = offset
        self._seen = 0
        return self._go_on([])

    def caught_up(
        self, epoch: str, offset: int, publications: Sequence[Offered], *, complete: bool
    ) -> list[Offered] | None:
        """Process the publications of history since `position` (`ports.Page`); return those that may be delivered.

        None if completeness cannot be proved: `begin` anew, and tell the subscribers. The stream may still be behind
        afterwards, if more arrived than could be held, or the held publications have a gap.
        """
        if epoch != self.epoch or not complete:
            return None
        found = [(at, payload) for at, payload in publications if at > self.position]
        if found:
            self.position = found[-1][0]
        self.proven = max(self.proven, offset)
        return self._go_on(found)

    def _go_on(self, offered: list[Offered]) -> list[Offered]:
        """Follow from `position` on, beginning with the held publications."""
        held, spilt = self._held, self._spilt
        self._held, self._held_bytes, self._spilt = [], 0, False
        self._ahead = self.position
        self.expected = self.position
        for at, previous, payload in held:
            if self.expected == UNKNOWN:  # a second gap
                self._held.append((at, previous, payload))
                self._held_bytes += len(payload)
            elif at <= self.position:
                self._seen = max(self._seen, at)
            elif previous <= self.position:
                self.follow(at)
                offered.append((at, payload))
            else:
                self.doubt()
                self._held.append((at, previous, payload))
                self._held_bytes += len(payload)
        if spilt:
            self.doubt()
        return offered

    def _hold(self, offset: int, previous: int, payload: bytes, held_bytes_max: int) -> StreamVerdict:
        if self._spilt or self._held_bytes + len(payload) > held_bytes_max:
            self._spilt = True
        else:
            self._held.append((offset, previous, payload))
            self._held_bytes += len(payload)
        return StreamVerdict.HELD


def _note(newest: dict[bytes, bytes], origin: bytes, seq: bytes) -> None:
    newest[origin] = seq
    if len(newest) > HEARD_MAX:
        del newest[next(iter(newest))]

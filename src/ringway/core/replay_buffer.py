"""Replay buffer of a channel: the newest messages delivered here, for subscribers that are about to need them.

Theory. A buffer is kept only while it has a holder: a recovery under way, or a session that is prepared to come. It
covers what was delivered after `floor`: a subscriber that has everything up to an offset that is not below the floor is
given the rest from here. Earlier messages that history returns can be put in front (`extend`), which lowers the floor:
then all others who come back with an older offset are served from here too, and the engine is asked once.

Messages without an offset are told apart by origin and sequence number; for them a holder's own beginning counts.

Overflow rule: beyond `bytes_max` the oldest message goes, and the floor rises; a holder whose beginning is gone gets
None. What an entry needs beyond its body is counted with `ENTRY_BYTES`.
"""

from collections import deque
from collections.abc import Mapping, Sequence
from typing import NamedTuple

from ringway.protocol.envelope import body_of, is_sound

ENTRY_BYTES = 300


class ReplayEntry(NamedTuple):
    """One message as it was delivered; `body` is the object that travels to clients."""

    offset: int  # 0: no offset
    origin: bytes
    seq: bytes
    kind: int
    body: bytes


def entry_of(offset: int, payload: bytes) -> ReplayEntry:
    """Return a sound payload of history as it is delivered."""
    return ReplayEntry(offset, payload[1:5], payload[5:13], payload[0], body_of(payload, offset))


class ReplayBuffer:
    """The newest messages of one channel. `floor` is the position of the channel when the buffer begins."""

    __slots__ = ("_bytes_max", "_entries", "_first", "bytes", "floor", "holders")

    def __init__(self, floor: int, bytes_max: int) -> None:
        self.floor = floor
        self.bytes = 0
        self.holders = 0  # counted by the owner of the buffers
        self._bytes_max = bytes_max
        self._entries: deque[ReplayEntry] = deque()
        self._first = 0  # number of the first entry; grows and falls as entries go and come in front

    @property
    def next_number(self) -> int:
        """The number of the next message: a holder that comes now begins there."""
        return self._first + len(self._entries)

    def add(self, entry: ReplayEntry) -> None:
        """Take a message that is delivered now."""
        self._entries.append(entry)
        self.bytes += len(entry.body) + ENTRY_BYTES
        while self.bytes > self._bytes_max:
            gone = self._entries.popleft()
            self._first += 1
            self.bytes -= len(gone.body) + ENTRY_BYTES
            self.floor = max(self.floor, gone.offset)

    def extend(self, since: int, publications: Sequence[tuple[int, bytes]]) -> None:
        """Put in front the publications of history after the offset `since`: offset and payload, ascending, complete.

        They must reach up to the floor at least. If not all fit, the newest are taken.
        """
        for offset, payload in reversed(publications):
            if offset > self.floor or not is_sound(payload):
                continue  # delivered here since, or about to be; or what nobody is sent
            entry = entry_of(offset, payload)
            if self.bytes + len(entry.body) + ENTRY_BYTES > self._bytes_max:
                self.floor = offset
                return
            self._entries.appendleft(entry)
            self._first -= 1
            self.bytes += len(entry.body) + ENTRY_BYTES
        self.floor = min(self.floor, since)

    def since(self, offset: int) -> list[ReplayEntry] | None:
        """The publications after `offset`, ascending; None if that is not all here."""
        if offset < self.floor:
            return None
        found: list[ReplayEntry] = []
        for entry in reversed(self._entries):
            if entry.offset > offset:
                found.append(entry)
            elif entry.offset:
                break
        found.reverse()
        return found

    def unheard(self, heard: Mapping[bytes, bytes], start: int) -> list[ReplayEntry] | None:
        """The messages without an offset that are newer than `heard` says, from number `start` on.

        In the order in which they were delivered; None if one of them is gone.
        """
        if start < self._first:
            return None
        found: list[ReplayEntry] = []
        for number, entry in enumerate(self._entries, self._first):
            if number >= start and not entry.offset and entry.seq > heard.get(entry.origin, b""):
                found.append(entry)
        return found

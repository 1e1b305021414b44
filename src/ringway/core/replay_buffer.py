"""Replay buffer of a channel: the newest messages delivered here, for subscribers that are being recovered or moved.

Theory. A buffer exists only while it has a holder: a recovery under way, or a session that is prepared to come. It
covers the messages delivered after `floor`: a subscriber whose last offset is not below the floor gets the rest from
the buffer. Earlier messages from history can be put in front (`extend`), which lowers the floor: then further
subscribers that come back with an older offset are served from the buffer too, and the engine is asked once.

Messages without an offset are identified by origin and sequence number; for them a holder's own beginning counts.

Overflow rule: beyond `bytes_max` the oldest message is dropped, and the floor rises; a holder whose beginning was
dropped gets None. The overhead of an entry is counted with `ENTRY_BYTES`.
"""

from collections import deque
from collections.abc import Mapping, Sequence
from typing import NamedTuple

from ringway.protocol.envelope import KIND_AT, ORIGIN, SEQ, body_of, is_sound

ENTRY_BYTES = 300


class ReplayEntry(NamedTuple):
    """One delivered message; `body` is the object that is sent to clients."""

    offset: int  # 0: no offset
    origin: bytes
    seq: bytes
    kind: int
    body: bytes


def entry_of(offset: int, payload: bytes) -> ReplayEntry:
    """Return the entry for a valid payload of history."""
    return ReplayEntry(offset, payload[ORIGIN], payload[SEQ], payload[KIND_AT], body_of(payload, offset))


class ReplayBuffer:
    """The newest messages of one channel. `floor` is the position of the channel when the buffer begins."""

    __slots__ = ("_bytes_max", "_entries", "_first", "bytes", "floor", "holders")

    def __init__(self, floor: int, bytes_max: int) -> None:
        self.floor = floor
        self.bytes = 0
        self.holders = 0  # counted by the owner of the buffers
        self._bytes_max = bytes_max
        self._entries: deque[ReplayEntry] = deque()
        self._first = 0  # the number of the first entry; grows as entries are dropped, falls by `extend`

    @property
    def next_number(self) -> int:
        """The number of the next message, where a new holder begins."""
        return self._first + len(self._entries)

    def add(self, entry: ReplayEntry) -> None:
        """Append a message that is delivered now."""
        self._entries.append(entry)
        self.bytes += len(entry.body) + ENTRY_BYTES
        while self.bytes > self._bytes_max:
            gone = self._entries.popleft()
            self._first += 1
            self.bytes -= len(gone.body) + ENTRY_BYTES
            self.floor = max(self.floor, gone.offset)

    def extend(self, since: int, publications: Sequence[tuple[int, bytes]]) -> None:
        """Prepend the publications of history after the offset `since`: offset and payload, ascending, complete.

        They must reach up to the floor at least. If not all fit, the newest are prepended.
        """
        for offset, payload in reversed(publications):
            if offset > self.floor or not is_sound(payload):
                continue  # delivered here since, or soon; or not for clients
            entry = entry_of(offset, payload)
            if self.bytes + len(entry.body) + ENTRY_BYTES > self._bytes_max:
                self.floor = offset
                return
            self._entries.appendleft(entry)
            self._first -= 1
            self.bytes += len(entry.body) + ENTRY_BYTES
        self.floor = min(self.floor, since)

    def since(self, offset: int) -> list[ReplayEntry] | None:
        """The publications after `offset`, ascending; None if some of them are not in the buffer."""
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
        """The messages without an offset that are newer than those in `heard`, from number `start` on.

        In the order of their delivery; None if a message of them was dropped.
        """
        if start < self._first:
            return None
        found: list[ReplayEntry] = []
        for number, entry in enumerate(self._entries, self._first):
            if number >= start and not entry.offset and entry.seq > heard.get(entry.origin, b""):
                found.append(entry)
        return found

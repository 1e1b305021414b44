"""Allowances of one client: what it may still send and ask for, in commands, frames and bytes (`node.config.client`).

    commands and frames   refused over the rate; a client that goes on regardless is closed
    bytes received        over the rate nothing more is read until they are paid for
    bytes answered        over the rate the next question waits until they are paid for
    new channels          over the rate publications to them are refused

Most clients send little and ask for little, so all but the first are made when they are first needed.
"""

import enum
from typing import TYPE_CHECKING

from ringway.core.rate import TokenBucket

if TYPE_CHECKING:
    from ringway.node.config.client import ClientBounds
    from ringway.types import Channel

SMALL_BYTES = 1024
"""Messages up to this size are bounded by the rate of commands alone."""

QUESTION_BYTES = 4096
"""The least cost of a query to the engine, however short the answer is."""

CHANNELS_KNOWN = 1024
"""Channels to which a client has published and that are not new to it; as many as it may subscribe to, if more."""

IGNORED_MAX = 4096
"""Frames that are read and dropped after a close, each 16 KiB counted as one more; then the connection is cut."""

OVER_RATE = 8.0
"""So many times the rate, at most, is read of a client that is over it: refusing costs more than it costs to send."""

OVER_MIN = 64
"""Commands and frames over the rate that are worth a pause."""

OVER_RATE_S = 0.05
"""Longest pause between two reads of such a client."""


class Pause(enum.IntFlag):
    """A reason to read nothing from a connection for a while."""

    BACKLOG = 1  # enough of its commands wait
    RATE = 2  # it has sent more bytes than it may
    OWED = BACKLOG | RATE  # reasons that end with what the client may do
    TURN = 4  # others have theirs first


class Allowance(TokenBucket):
    """The allowances of one connection; it is itself the bucket of commands and frames. `now` is monotonic."""

    __slots__ = ("_bounds", "_large", "_over", "ignored", "refused")

    def __init__(self, bounds: "ClientBounds", now: float) -> None:
        super().__init__(bounds.commands_per_s, bounds.commands_burst, now)
        self._bounds = bounds
        self._large: _Large | None = None
        self._over = 0  # commands and frames over the rate, since the last pause
        self.ignored = 0  # frames that came after its end; what is as large as several counts as that many
        self.refused = 0  # commands and frames over the rate, less the number within it since

    def admit(self, now: float, count: int) -> int:
        """Take tokens for `count` commands or frames; return for how many of them there were any."""
        admitted = self.take_some(now, count)
        self.refused = max(0, self.refused - admitted) + count - admitted
        self._over += count - admitted
        return admitted

    def ignore(self, size: int) -> bool:
        """Count a frame of `size` bytes that is dropped; True once there are more of them than `IGNORED_MAX`."""
        if self.ignored > IGNORED_MAX:
            return False
        self.ignored += 1 + size // 16384
        self._over += self.refused > 0
        return self.ignored > IGNORED_MAX

    def end_turn(self) -> float:
        """Return how long nothing is read from the client, which has had its turn: 0 if little was over the rate."""
        if self._over < OVER_MIN:
            return 0.0
        over, self._over = self._over, 0
        return min(OVER_RATE_S, over / (OVER_RATE * self.rate_per_s))

    def receive(self, now: float, size: int) -> bool:
        """Charge a message of `size` bytes; return whether nothing more may be read until that is paid for."""
        if size <= SMALL_BYTES:
            return False
        self._of_large(now).received.charge(now, size)
        return self.received_due_s(now) > 0

    def received_due_s(self, now: float) -> float:
        """Return how long nothing more may be read, in seconds."""
        return self._large.received.debt_s(now) if self._large is not None else 0.0

    def answer(self, now: float, size: int) -> None:
        """Charge an answer that took `size` bytes of the engine or the node to make."""
        answered = self._of_large(now).answered
        answered.charge(now, min(max(size, QUESTION_BYTES), answered.burst))

    def answer_due_s(self, now: float) -> float:
        """Return how long the next answer must wait if it may be long, in seconds."""
        return self._large.answered.debt_s(now) if self._large is not None else 0.0

    def publish(self, now: float, channel: "Channel") -> bool:
        """Return whether the client may publish to `channel`: it is not new to it, or a new channel is allowed now."""
        large = self._of_large(now)
        known = large.known
        if channel in known:
            return True
        if not large.channels.take_tokens(now):
            return False
        if len(known) >= max(CHANNELS_KNOWN, self._bounds.subscriptions_max):
            del known[next(iter(known))]
        known[channel] = None
        return True

    def _of_large(self, now: float) -> "_Large":
        if self._large is None:
            self._large = _Large(self._bounds, now)
        return self._large


class _Large:
    """The allowances of a connection that has sent or asked for much."""

    __slots__ = ("answered", "channels", "known", "received")

    def __init__(self, bounds: "ClientBounds", now: float) -> None:
        self.received = TokenBucket(bounds.bytes_per_s, max(bounds.bytes_burst, bounds.message_bytes_max), now)
        self.answered = TokenBucket(bounds.answer_bytes_per_s, bounds.answer_bytes_burst, now)
        self.channels = TokenBucket(bounds.new_channels_per_s, bounds.new_channels_burst, now)
        self.known: dict[Channel, None] = {}

"""Allowances of one client for messages and queries, in commands, frames and bytes (`node.config.client`).

    commands and frames   refused over the rate; a client that goes on regardless is closed
    bytes received        over the rate reading stops until they are paid for
    bytes answered        over the rate the next query waits until they are paid for
    new channels          over the rate publications to them are refused

Most clients send and query little, so all allowances but the first are made when they are first needed.
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
"""The least cost of a query to the engine, also if the answer is short."""

CHANNELS_KNOWN = 1024
"""The number of channels that are remembered as not new to a client: at least its maximum of subscriptions."""

IGNORED_MAX = 4096
"""Frames that are read and dropped after a close, a frame more for each 16 KiB; then the connection is cut."""

OVER_RATE = 8.0
"""A client over its rate is read at this multiple of the rate at most: a refusal costs more than sending a command."""

OVER_MIN = 64
"""The number of commands and frames over the rate from which reading is paused."""

OVER_RATE_S = 0.05
"""Longest pause between two reads of such a client."""


class Pause(enum.IntFlag):
    """A reason for not reading from a connection for a while."""

    QUEUE = 1  # enough of its commands wait
    RATE = 2  # it has sent more bytes than its rate allows
    OWED = QUEUE | RATE  # reasons that end when the client's debts are paid
    TURN = 4  # other clients have their turn first


class Allowance(TokenBucket):
    """The allowances of one connection; it is itself the bucket of commands and frames. `now` is monotonic."""

    __slots__ = ("_bounds", "_large", "_over", "ignored", "refused")

    def __init__(self, bounds: "ClientBounds", now: float) -> None:
        super().__init__(bounds.commands_per_s, bounds.commands_burst, now)
        self._bounds = bounds
        self._large: _Large | None = None
        self._over = 0  # commands and frames over the rate, since the last pause
        self.ignored = 0  # frames that came after its end; a large frame counts as several
        self.refused = 0  # commands and frames over the rate, less the later ones within it

    def admit(self, now: float, count: int) -> int:
        """Take tokens for `count` commands or frames; return the number that had tokens."""
        admitted = self.take_some(now, count)
        self.refused = max(0, self.refused - admitted) + count - admitted
        self._over += count - admitted
        return admitted

    def refuse(self, count: int, before: int) -> None:
        """Count the last commands as refused, though `admit` found them within the rate: others share a rate with it.

        `before` is the number of `refused` before that `admit`.
        """
        self.refused = before + count
        self._over += count

    def ignore(self, size: int) -> bool:
        """Count a dropped frame of `size` bytes; True once the count is above `IGNORED_MAX`."""
        if self.ignored > IGNORED_MAX:
            return False
        self.ignored += 1 + size // 16384
        self._over += self.refused > 0
        return self.ignored > IGNORED_MAX

    def end_turn(self) -> float:
        """Return the pause of reading after the client's turn: 0 if few frames were over the rate."""
        if self._over < OVER_MIN:
            return 0.0
        over, self._over = self._over, 0
        return min(OVER_RATE_S, over / (OVER_RATE * self.rate_per_s))

    def receive(self, now: float, size: int) -> bool:
        """Charge a message of `size` bytes; return True if reading must stop until it is paid for."""
        if size <= SMALL_BYTES:
            return False
        self._of_large(now).received.charge(now, size)
        return self.received_due_s(now) > 0

    def received_due_s(self, now: float) -> float:
        """Return the pause of reading, in seconds."""
        return self._large.received.debt_s(now) if self._large is not None else 0.0

    def answer(self, now: float, size: int) -> None:
        """Charge an answer for which the engine or the node read `size` bytes."""
        answered = self._of_large(now).answered
        answered.charge(now, min(max(size, QUESTION_BYTES), answered.burst))

    def answer_due_s(self, now: float) -> float:
        """Return the wait before the next long answer, in seconds."""
        return self._large.answered.debt_s(now) if self._large is not None else 0.0

    def publish(self, now: float, channel: "Channel") -> bool:
        """Return True if the client may publish to `channel`: the channel is known, or a new channel is allowed now."""
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
    """The further allowances of a connection that has sent or queried much."""

    __slots__ = ("answered", "channels", "known", "received")

    def __init__(self, bounds: "ClientBounds", now: float) -> None:
        self.received = TokenBucket(bounds.bytes_per_s, max(bounds.bytes_burst, bounds.message_bytes_max), now)
        self.answered = TokenBucket(bounds.answer_bytes_per_s, bounds.answer_bytes_burst, now)
        self.channels = TokenBucket(bounds.new_channels_per_s, bounds.new_channels_burst, now)
        self.known: dict[Channel, None] = {}

"""Refusals of messages that were not believed: their counts, and which of them are logged.

A sender that is proven is logged once in `TELL_S` for each fault; all that are not proven together count as one sender,
since what they say of themselves is worth nothing. The newest `SENDERS_MAX` senders are remembered.
"""

from collections import Counter

from ringway.core.recent import Recent
from ringway.protocol.keyring import Purpose
from ringway.protocol.seal import SealError, SealFault

TELL_S = 60.0
SENDERS_MAX = 256

UNPROVEN = frozenset((SealFault.UNSEALED, SealFault.FORGED))
"""Faults of messages whose sender is not known."""


def claimed_sender(raw: bytes) -> str:
    """Return the incarnation in the head of a sealed message, which proves nothing (PROTOCOL.md P-8.1)."""
    return raw[2:6].hex()


class MessageRefusals:
    """The refusals of one member. `now` is monotonic, in seconds."""

    __slots__ = ("_told_at", "counts")

    def __init__(self) -> None:
        self.counts: Counter[tuple[Purpose, SealFault]] = Counter()
        """Counter: refused messages by purpose and fault."""
        self._told_at: Recent[tuple[Purpose, SealFault, str], float] = Recent(SENDERS_MAX)

    def add(self, purpose: Purpose, error: SealError, sender: str, now: float) -> bool:
        """Count a refused message of `sender`, as its head says; return True if a log line is due."""
        self.counts[purpose, error.fault] += 1
        key = purpose, error.fault, "" if error.fault in UNPROVEN else sender
        told_at = self._told_at.get(key)
        if told_at is not None and now < told_at + TELL_S:
            return False
        self._told_at.add(key, now)
        return True

"""Outcome of a command: decided once, when the command is read.

bytes          Done: the reply, encoded. Its content is true from now on: send it before the next await.
PendingReply   The engine must be awaited; then it is Done, or Gone.
None           The command has no reply.
"""

import enum
from collections.abc import Awaitable, Callable
from typing import NamedTuple


class Gone(enum.Enum):
    """The end of a command without effect: its connection began to close before."""

    GONE = enum.auto()


class PendingReply(NamedTuple):
    """A reply that needs the engine. Nothing has begun until `run` is called, so it may be left uncalled."""

    run: Callable[[], Awaitable[bytes | Gone]]


Outcome = bytes | PendingReply | None

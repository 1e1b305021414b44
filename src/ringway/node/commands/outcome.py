"""Outcome of a command: decided once, when the command is read.

bytes          Done: the reply, encoded. Its content is true from now on: send it before the next await.
PendingReply   The engine must be awaited; then it is Done, or Gone.
None           The command has no reply.
"""

import enum
from collections.abc import Awaitable, Callable
from typing import NamedTuple, TypeVar

Found = TypeVar("Found")


class Gone(enum.Enum):
    """The end of a command without effect: its connection began to close before."""

    GONE = enum.auto()


class PendingReply(NamedTuple):
    """A reply that needs the engine. Nothing has begun until `run` is called, so it may be left uncalled."""

    run: Callable[[], Awaitable[bytes | Gone]]


Outcome = bytes | PendingReply | None


async def finish_after_wait(
    found: Found, finish: Callable[[Found], bytes | PendingReply], is_here: Callable[[], bool]
) -> bytes | Gone:
    """Return what `finish` makes of what a command has waited for; no effect if the client is not here any more."""
    if not is_here():
        return Gone.GONE
    outcome = finish(found)
    return await outcome.run() if isinstance(outcome, PendingReply) else outcome

"""Move signal in its two forms, and the form that a client asks for (PROTOCOL.md P-7).

It is close code 1012 with the reason `move <node> <ticket>`. Some clients cannot know which of their messages were sent
before a close frame: such a client chooses a mark, and gets the message `<mark> move <node> <ticket>` instead.
"""

import re
from dataclasses import dataclass

from ringway.protocol.ticket import TICKET_LENGTH
from ringway.types import NodeName

BY_CLOSE = "1"
"""The value of `moves=` of a client that gets close frames; any other value is a mark (`read_follows`)."""

MOVED = "ringway-moved"
"""The header that tells a backend that its WebSocket was opened before, at a different backend (PROTOCOL.md P-3.12)."""

_MARK = re.compile(r"[A-Za-z0-9_-]{8,32}")
_REASON = re.compile(rf"move ([A-Za-z0-9][A-Za-z0-9._-]{{0,62}}) ([A-Za-z0-9_=-]{{{TICKET_LENGTH}}})")


@dataclass(frozen=True, slots=True)
class Move:
    """The node where a closed client is expected, and the ticket that admits it there."""

    node: NodeName
    ticket: str

    def reason(self) -> str:
        """The close reason that carries this move; at most 113 of the 123 bytes allowed."""
        return f"move {self.node} {self.ticket}"


def read_move(reason: str) -> Move | None:
    """Return the move that a close reason carries, or None if it carries no move."""
    match = _REASON.fullmatch(reason)
    return Move(NodeName(match[1]), match[2]) if match else None


def moved_header(why: str, left: NodeName) -> str:
    """Return the value of `MOVED`: `why` is "moved" or "lost", `left` the name of the earlier backend."""
    return f"{why}; from={left}"


def read_follows(moves: str) -> str:
    """Return `moves` of a query if it is `BY_CLOSE` or a mark; otherwise '', and moves do not carry the session."""
    return moves if moves == BY_CLOSE or _MARK.fullmatch(moves) else ""

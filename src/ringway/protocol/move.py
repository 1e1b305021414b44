"""The move signal: close code 1012 with the reason `move <node> <ticket>` (PROTOCOL.md P-7)."""

import re
from dataclasses import dataclass

from ringway.protocol.ticket import TICKET_LENGTH
from ringway.types import NodeName

_REASON = re.compile(rf"move ([A-Za-z0-9][A-Za-z0-9._-]{{0,62}}) ([A-Za-z0-9_=-]{{{TICKET_LENGTH}}})")


@dataclass(frozen=True, slots=True)
class Move:
    """Where a closed client is expected, and what admits it there."""

    node: NodeName
    ticket: str

    def reason(self) -> str:
        """The close reason that carries this move; at most 113 of the 123 bytes allowed."""
        return f"move {self.node} {self.ticket}"


def read_move(reason: str) -> Move | None:
    """Return the move that a close reason carries, or None where it carries none."""
    match = _REASON.fullmatch(reason)
    return Move(NodeName(match[1]), match[2]) if match else None

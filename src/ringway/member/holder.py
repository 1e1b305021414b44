"""The port `Holder`: the requirements of a cluster member on the component that holds its connections.

A channel node is a holder. An application, or a gateway on behalf of servers without Ringway, can be a holder as well.
`ringway.member` knows its connections by this port alone.
`ringway.testing.holder_contract` is the suite that proves a holder.
"""

import enum
from dataclasses import dataclass
from typing import NamedTuple, Protocol, TypeVar

from ringway.core.move_candidates import Movable
from ringway.core.move_outcomes import NO_OUTCOMES, MoveOutcomes
from ringway.types import NodeName


class CloseCause(enum.StrEnum):
    """The cause for which a member closes a connection that has no place at a different member."""

    DRAINED = "drained"  # it was still here at the deadline of a drain
    FENCED = "fenced"  # the member was stopped for longer than its lease
    SHUTDOWN = "shutdown"  # the member stops


class HeldConnection(Movable, Protocol):
    """One connection, as a member sees it."""

    @property
    def is_usable(self) -> bool:
        """True if the connection is open, and its end has not begun."""
        ...

    @property
    def is_connected(self) -> bool:
        """True if the client may be moved at all: the connection is usable, and the client has introduced itself."""
        ...

    @property
    def may_leave(self) -> bool:
        """True if the connection can be moved at this moment: it is connected, and is not being moved already."""
        ...


C = TypeVar("C", bound=HeldConnection)


class HolderCounts(NamedTuple):
    """Counts of a holder's connections."""

    connected: int
    """Connected clients whose close has not begun."""
    pending: int
    """Clients that are not connected yet: handshakes, and clients that have not introduced themselves."""
    open: int
    """All sockets: those being closed, too."""


@dataclass(frozen=True, slots=True)
class HolderMeasures:
    """Measures of a holder, for the report. Counters grow from the start of the process."""

    connections_max: int = 0
    """The most connections that it accepts; 0 if unknown."""
    cooling: int = 0
    """The number of connected clients that may not be moved now."""
    handshake_p99_s: float = 0.0
    """The time from an accepted socket to its answer, 99th percentile of the last seconds; 0 without handshakes."""
    sockets: int = 0
    """Counter: accepted sockets."""
    accepted: int = 0
    """Counter: handshakes that were accepted."""
    sent_bytes: int = 0
    """Counter: bytes sent to clients."""
    messages_in: int = 0
    """Counter: messages that came for clients; a report calls them publications."""
    messages_out: int = 0
    """Counter: messages sent to clients; a report calls them deliveries."""
    outcomes: MoveOutcomes = NO_OUTCOMES
    """Counters: outcomes of moves, from here and to here, that this holder counts."""


class Holder(Protocol[C]):
    """Holds connections. All methods are called in its event loop, and must not block."""

    def counts(self) -> HolderCounts:
        """Return the counts of this moment. Cheap: called several times a second."""
        ...

    def measures(self, now: float, cool_down_s: float) -> HolderMeasures:
        """Return the measures of this moment; connections that were moved here cool down for `cool_down_s`."""
        ...

    def usable_connections(self) -> list[C]:
        """Return all connections that are usable, the oldest first, in a list that the caller owns."""
        ...

    async def send_off(self, connection: C, target: NodeName, clock_s: float = 0.0) -> None:
        """Begin to move `connection` to `target`, and count the move (`SentMoves`).

        The target's clock is `clock_s` ahead of this member's: the ticket is issued in the target's clock.
        Returns at once, or waits while too many moves are under way. Does nothing if the connection may not leave.
        """
        ...

    def close_connection(self, connection: C, cause: CloseCause) -> None:
        """Begin to close `connection`, so that its client learns of it. Idempotent."""
        ...

    async def cut_rest(self, within_s: float) -> None:
        """Wait up to `within_s` for connections to end, cut those that are left, and return when all have ended."""
        ...

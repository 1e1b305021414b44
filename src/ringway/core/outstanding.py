"""Outstanding places: those that clients were promised and have not taken yet, by the address that asked.

Asking costs nothing, so a promised place is charged to the asker until it is taken or over. A node reports how many
tickets were redeemed, not which: those that end first are assumed, as in `core.load.reservation`. A client whose
WebSocket a gateway opens itself is charged until that is done, and is left out of what its node reports.
"""

from collections import deque
from heapq import heappop, heappush

from ringway.core.address import AddressShares

TICKETS_MAX = 200_000
"""Above it those that end first are forgotten: some 20 MiB."""


class Outstanding:
    """The places that each address was promised and has not taken. `now` is monotonic."""

    __slots__ = ("_carried", "_tickets", "shares")

    def __init__(self) -> None:
        self.shares = AddressShares()
        self._tickets: list[tuple[float, str]] = []  # a heap, by the time at which each ends
        self._carried: deque[float] = deque()  # until when the node of each may still tell of it

    def issue(self, address: str, ends_at: float) -> None:
        """Charge `address` for a ticket."""
        heappush(self._tickets, (ends_at, address))
        self.shares.add(address)
        if len(self._tickets) > TICKETS_MAX:
            self._drop()

    def begin(self, address: str) -> None:
        """Charge `address` for a WebSocket that is being opened for it."""
        self.shares.add(address)

    def finish(self, address: str, told_until: float | None = None) -> None:
        """Charge it no more: the WebSocket is open, or will not be.

        `told_until`: it came with a ticket of ours, of which its node tells until then, if it lives.
        """
        self.shares.remove(address)
        if told_until is not None:
            self._carried.append(told_until)

    def redeemed(self, count: int) -> None:
        """Note that so many tickets more were redeemed."""
        carried = min(count, len(self._carried))
        for _ in range(carried):
            self._carried.popleft()
        for _ in range(min(count - carried, len(self._tickets))):
            self._drop()

    def expire(self, now: float) -> None:
        """Forget the tickets whose time has passed, and redeemed ones that no node will report any more."""
        while self._carried and self._carried[0] <= now:
            self._carried.popleft()
        while self._tickets and self._tickets[0][0] <= now:
            self._drop()

    def _drop(self) -> None:
        self.shares.remove(heappop(self._tickets)[1])

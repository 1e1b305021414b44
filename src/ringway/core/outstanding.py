"""Outstanding places: promised to clients that have not come yet, by the client's address.

Requests are cheap, so a promised place is charged to the client's address until the client has come or the place has
ended. A node reports the number of redeemed tickets, without their names: the tickets that end first are assumed, as in
`core.load.reservation`. A client whose WebSocket a gateway opens itself is charged until that is done, and its ticket
is left out of the counts of its node.
"""

from collections import deque
from heapq import heappop, heappush

from ringway.core.address import AddressShares

TICKETS_MAX = 200_000
"""Above this number the tickets that end first are forgotten: some 20 MiB."""


class Outstanding:
    """The promised places of each address to which no client has come yet. `now` is monotonic."""

    __slots__ = ("_carried", "_tickets", "shares")

    def __init__(self) -> None:
        self.shares = AddressShares()
        self._tickets: list[tuple[float, str]] = []  # a heap, by the time at which each ends
        self._carried: deque[float] = deque()  # for each, the time until which its node may still report it

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
        """End the charge for that WebSocket: it is open, or has failed.

        `told_until`: it has redeemed a ticket of this gateway, which a live node reports by this time.
        """
        self.shares.remove(address)
        if told_until is not None:
            self._carried.append(told_until)

    def redeemed(self, count: int) -> None:
        """Discharge `count` tickets: they were redeemed."""
        carried = min(count, len(self._carried))
        for _ in range(carried):
            self._carried.popleft()
        for _ in range(min(count - carried, len(self._tickets))):
            self._drop()

    def expire(self, now: float) -> None:
        """Forget the tickets whose time has passed, and redeemed tickets that no node will report any more."""
        while self._carried and self._carried[0] <= now:
            self._carried.popleft()
        while self._tickets and self._tickets[0][0] <= now:
            self._drop()

    def _drop(self) -> None:
        self.shares.remove(heappop(self._tickets)[1])

"""Pending sockets, which owe a request or a first command, and the choice of the socket that is closed for room.

Real clients send it within milliseconds. So a newcomer is not refused in favour of silent sockets: a silent socket is
closed instead. It is the socket that has waited longest at the address with the most sockets. If that socket has only
just come (a gateway opens hundreds at once), it is the socket that has waited longest of all. If that socket has only
just come too, no socket is silent: there is a crowd. Then an address with more than half of all sockets loses a socket
to newcomers of other addresses. Newcomers of that address itself are refused; so are all newcomers if there is no such
address.
"""

from collections.abc import Iterator
from typing import Generic, TypeVar

from ringway.core.address import EXEMPT, AddressShares

Item = TypeVar("Item")

SILENT_AFTER_S = 0.5
"""Younger sockets do not count as silent yet: their request may be in the kernel already."""


class Pending(Generic[Item]):
    """Items with their addresses, in the order of their arrival. `now` is monotonic."""

    __slots__ = ("_of", "_since", "shares")

    def __init__(self) -> None:
        self.shares = AddressShares()
        self._since: dict[Item, tuple[float, str]] = {}
        self._of: dict[str, dict[Item, None]] = {}

    def __len__(self) -> int:
        return len(self._since)

    def __iter__(self) -> Iterator[Item]:
        """Iterate over a copy: items may be removed during the iteration."""
        return iter(list(self._since))

    def add(self, item: Item, address: str, now: float) -> None:
        """Add an item that has come now."""
        self._since[item] = (now, address)
        self._of.setdefault(address, {})[item] = None
        self.shares.add(address)

    def remove(self, item: Item) -> float | None:
        """Forget an item, and return the time of its arrival; None for an unknown item."""
        entry = self._since.pop(item, None)
        if entry is None:
            return None
        since, address = entry
        mine = self._of[address]
        del mine[item]
        if not mine:
            del self._of[address]
        self.shares.remove(address)
        return since

    def renew(self, item: Item, now: float) -> None:
        """Count an item as new: it has sent its request, and may owe the next request."""
        entry = self._since.get(item)
        if entry is not None:
            self.remove(item)
            self.add(item, entry[1], now)

    def oldest(self) -> Item | None:
        """Return the item that has waited longest."""
        return next(iter(self._since), None)

    def victim(self, now: float, newcomer: str) -> Item | None:
        """Return the item that is closed for a new item of the address `newcomer`; None if no item is."""
        if not self._since:
            return None
        silent_at = now - SILENT_AFTER_S
        most = self.shares.most()
        first = next(iter(self._of[most])) if most != EXEMPT else next(iter(self._since))
        if self._since[first][0] <= silent_at:
            return first
        oldest = next(iter(self._since))
        if self._since[oldest][0] <= silent_at:
            return oldest
        greedy = most not in (EXEMPT, newcomer) and 2 * self.shares.count(most) > self.shares.total
        return first if greedy else None

"""Addresses of clients, by which they are told apart; and the shares that each address holds of something bounded.

One rule for every bounded thing (connections, handshakes under way, places): an address may take more while it holds
less than `share / (1 - share)` times what is free. The bound moves with the pressure, so it needs no number that is
right for all systems:

- an address that is alone (an office behind one NAT, a load test) gets `share` of the whole;
- the rest is reserved for other addresses: with n addresses that take all they can, each gets
  `share / (1 - share + n share)`, and `(1 - share) / (1 - share + n share)` stays free for new addresses;
- no address is refused while little is taken.

This is the dynamic threshold of shared-memory switches (Choudhury and Hahne, IEEE/ACM Transactions on Networking 6(2),
1998). If a held thing can be taken back, as with sockets that have sent nothing, there is no need to refuse: the
address that holds most gives one up (longest queue drop: Suter et al., INFOCOM 1998).

Memory: an entry for each address that holds something, so never more entries than the bounded thing allows.
"""

from ipaddress import AddressValueError, IPv6Address

EXEMPT = ""
"""The address of clients that cannot be told apart: those of a trusted proxy that does not name its client."""


def address_of(ip: str) -> str:
    """Return the address by which the client at `ip` is told apart: its IPv4 address, or the /64 of its IPv6 address.

    A provider gives one customer a /64 at least, with 2^64 addresses. A text that is no address is returned as it is.
    """
    if ":" not in ip:
        return ip
    try:
        address = IPv6Address(ip)
    except AddressValueError:
        return ip
    mapped = address.ipv4_mapped
    return str(mapped) if mapped is not None else f"{IPv6Address(address.packed[:8] + bytes(8))}/64"


class AddressShares:
    """Counts how much each address holds of one bounded thing. `EXEMPT` counts in `total` alone."""

    __slots__ = ("_counts", "_levels", "_most", "total")

    def __init__(self) -> None:
        self._counts: dict[str, int] = {}
        self._levels: dict[int, dict[str, None]] = {}  # the addresses that hold so many: the most is always known
        self._most = 0
        self.total = 0

    def __len__(self) -> int:
        """How many addresses hold something."""
        return len(self._counts)

    def count(self, address: str) -> int:
        """How much `address` holds."""
        return self._counts.get(address, 0)

    def add(self, address: str) -> None:
        """Count one more that `address` holds."""
        self.total += 1
        if address == EXEMPT:
            return
        count = self._counts.get(address, 0) + 1
        self._counts[address] = count
        self._shift(address, count - 1, count)
        self._most = max(self._most, count)

    def remove(self, address: str) -> None:
        """Count one less."""
        self.total -= 1
        if address == EXEMPT:
            return
        count = self._counts.pop(address) - 1
        if count:
            self._counts[address] = count
        self._shift(address, count + 1, count)
        if self._most not in self._levels:
            self._most = count  # the address that held most holds one less

    def most(self) -> str:
        """Return the address that holds most; `EXEMPT` if no address holds anything."""
        return next(iter(self._levels[self._most])) if self._most else EXEMPT

    def is_small(self, address: str) -> bool:
        """True if `address` holds nothing, or less than the mean of all that hold something. `EXEMPT` never is."""
        if address == EXEMPT:
            return False
        count = self._counts.get(address, 0)
        return count * len(self._counts) < self.total or not count

    def has_room(self, address: str, capacity: float, share: float, count_max: int = 0) -> bool:
        """True if `address` may take one more of `capacity`: by the rule of the module, and by `count_max` if set."""
        free = capacity - self.total
        if free <= 0:
            return False
        if address == EXEMPT:
            return True
        count = self._counts.get(address, 0)
        if count_max and count >= count_max:
            return False
        return count * (1.0 - share) < share * free

    def setting_met(self, address: str, count_max: int, setting: str) -> str:
        """Return the setting that stops `address`: `setting`, whose value is `count_max`, or the share."""
        return setting if count_max and self.count(address) >= count_max else "address_share"

    def _shift(self, address: str, before: int, after: int) -> None:
        levels = self._levels
        if before:
            level = levels[before]
            del level[address]
            if not level:
                del levels[before]
        if after:
            levels.setdefault(after, {})[address] = None

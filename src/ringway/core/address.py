"""Addresses of clients, by which clients are distinguished, and the share of a bounded resource that each one holds.

One rule for every bounded resource (connections, handshakes under way, places): an address may have one more unit while
it holds fewer units than `share / (1 - share)` times the free ones. The bound moves with the pressure, so no constant
has to fit all systems:

- an address that is alone (an office behind one NAT, a load test) gets `share` of the whole;
- the rest is reserved for more addresses: n addresses with unlimited demand get `share / (1 - share + n share)` each,
  and `(1 - share) / (1 - share + n share)` stays free for new addresses;
- no address is refused while most of the resource is free.

This is the dynamic threshold of shared-memory switches (Choudhury and Hahne, IEEE/ACM Transactions on Networking 6(2),
1998). If a unit can be revoked, as with sockets that have sent nothing, no refusal is needed: the address with the most
units loses one (longest queue drop: Suter et al., INFOCOM 1998).

Memory: an entry for each address that holds a unit, so never more entries than the resource has units.
"""

from ipaddress import AddressValueError, IPv6Address

EXEMPT = ""
"""The address of clients that cannot be distinguished: a trusted proxy that does not name its client sent them."""


def address_of(ip: str) -> str:
    """Return the address that identifies the client at `ip`: its IPv4 address, or the /64 of its IPv6 address.

    A provider gives one customer a /64 at least, with 2^64 addresses. A text that is no address is returned unchanged.
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
    """Counts the units of one bounded resource that each address holds. `EXEMPT` counts in `total` alone."""

    __slots__ = ("_counts", "_levels", "_most", "total")

    def __init__(self) -> None:
        self._counts: dict[str, int] = {}
        self._levels: dict[int, dict[str, None]] = {}  # the addresses by their counts: the highest count is known
        self._most = 0
        self.total = 0

    def __len__(self) -> int:
        """The number of addresses that hold a unit."""
        return len(self._counts)

    def count(self, address: str) -> int:
        """The number of units that `address` holds."""
        return self._counts.get(address, 0)

    def add(self, address: str) -> None:
        """Count one more unit of `address`."""
        self.total += 1
        if address == EXEMPT:
            return
        count = self._counts.get(address, 0) + 1
        self._counts[address] = count
        self._shift(address, count - 1, count)
        self._most = max(self._most, count)

    def remove(self, address: str) -> None:
        """Count one unit less of `address`."""
        self.total -= 1
        if address == EXEMPT:
            return
        count = self._counts.pop(address) - 1
        if count:
            self._counts[address] = count
        self._shift(address, count + 1, count)
        if self._most not in self._levels:
            self._most = count  # the address with the highest count has one unit less

    def most(self) -> str:
        """Return the address with the most units; `EXEMPT` if no address holds a unit."""
        return next(iter(self._levels[self._most])) if self._most else EXEMPT

    def is_small(self, address: str) -> bool:
        """True if `address` holds no unit, or fewer than the mean of the addresses with units. False for `EXEMPT`."""
        if address == EXEMPT:
            return False
        count = self._counts.get(address, 0)
        return count * len(self._counts) < self.total or not count

    def has_room(self, address: str, capacity: float, share: float, count_max: int = 0) -> bool:
        """True if `address` may have one more unit of `capacity`, by the share rule and by `count_max` if it is set."""
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
        """Return the name of the bound that `address` has met: `setting`, whose value is `count_max`, or the share."""
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

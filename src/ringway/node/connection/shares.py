"""Shares of users and of addresses: what their connections at a node do together, in commands, bytes and subscriptions.

A command costs one lookup for each limit that is set, and nothing if none is. Rates are those of `core.rate`, whose
tables are bounded; counts have an entry for each user and address with subscriptions.
"""

from collections import Counter
from typing import Protocol

from ringway.core.credentials import Credentials
from ringway.core.rate import AddressRates
from ringway.node.config.shares import NodeSharesConfig

BURST_S = 2.0
"""The burst in seconds of its rate, where none is given."""


class OfSomebody(Protocol):
    """A connection, as far as it is about whose it is."""

    @property
    def address(self) -> str:
        """The address for which it counts; empty: for none."""
        ...

    @property
    def credentials(self) -> Credentials:
        """Who the client is."""
        ...


class _SharedRate:
    """One limit of many users or addresses; an empty name has none."""

    __slots__ = ("_burst_s", "_interval_s", "_rates")

    def __init__(self, rate_per_s: float, burst: float) -> None:
        self._interval_s = 1 / rate_per_s
        self._burst_s = max(burst / rate_per_s if burst else BURST_S, self._interval_s)
        self._rates = AddressRates()

    def take_some(self, name: str, now: float, count: int) -> int:
        return self._rates.take_some(name, now, count, self._interval_s, self._burst_s) if name else count

    def charge(self, name: str, now: float, count: int) -> None:
        if name:
            self._rates.charge(name, now, count * self._interval_s)

    def due_s(self, name: str, now: float) -> float:
        return max(0.0, self._rates.backlog_s(name, now) - self._burst_s) if name else 0.0


def _rate(rate_per_s: float, burst: float) -> _SharedRate | None:
    return _SharedRate(rate_per_s, burst) if rate_per_s else None


class ClientShares:
    """The shares of one node's users and addresses. `now` is monotonic, in seconds."""

    __slots__ = ("_address_bytes", "_address_commands", "_config", "_of_address", "_of_user", "_user_bytes",
                 "_user_commands", "counts", "has_rates")  # fmt: skip

    def __init__(self, config: NodeSharesConfig) -> None:
        self._config = config
        least = config.message_bytes_max
        self._user_commands = _rate(config.user_commands_per_s, config.user_commands_burst)
        self._address_commands = _rate(config.address_commands_per_s, config.address_commands_burst)
        self._user_bytes = _bytes_rate(config.user_bytes_per_s, config.user_bytes_burst, least)
        self._address_bytes = _bytes_rate(config.address_bytes_per_s, config.address_bytes_burst, least)
        rates = (self._user_commands, self._address_commands, self._user_bytes, self._address_bytes)
        self.has_rates = any(rate is not None for rate in rates)
        """True if a rate is set."""
        self.counts = bool(config.user_subscriptions_max or config.address_subscriptions_max)
        """True if subscriptions are counted."""
        self._of_user: Counter[str] = Counter()
        self._of_address: Counter[str] = Counter()

    def admit(self, connection: OfSomebody, now: float, count: int) -> int:
        """Return how many of `count` commands are within the rates."""
        if self._user_commands is not None and count:
            count = self._user_commands.take_some(connection.credentials.user, now, count)
        if self._address_commands is not None and count:
            count = self._address_commands.take_some(connection.address, now, count)
        return count

    def receive(self, connection: OfSomebody, now: float, size: int) -> bool:
        """Charge a message of `size` bytes; return True if reading must stop until it is paid for."""
        if self._user_bytes is not None:
            self._user_bytes.charge(connection.credentials.user, now, size)
        if self._address_bytes is not None:
            self._address_bytes.charge(connection.address, now, size)
        return self.due_s(connection, now) > 0

    def due_s(self, connection: OfSomebody, now: float) -> float:
        """Return the pause of reading from the connection, in seconds."""
        due_s = 0.0
        if self._user_bytes is not None:
            due_s = self._user_bytes.due_s(connection.credentials.user, now)
        if self._address_bytes is not None:
            due_s = max(due_s, self._address_bytes.due_s(connection.address, now))
        return due_s

    def lack_of_room(self, connection: OfSomebody) -> str:
        """Return why the connection may have no further subscription; empty if it may."""
        config, user, address = self._config, connection.credentials.user, connection.address
        most = config.user_subscriptions_max
        if most and user and self._of_user[user] >= most:
            return f"the user has {most} subscriptions at this node (user_subscriptions_max)"
        most = config.address_subscriptions_max
        if most and address and self._of_address[address] >= most:
            return f"the address has {most} subscriptions at this node (address_subscriptions_max)"
        return ""

    def add(self, connection: OfSomebody, count: int) -> None:
        """Count `count` subscriptions of the connection, which began; or ended, if it is negative."""
        for counter, name in ((self._of_user, connection.credentials.user), (self._of_address, connection.address)):
            if name:
                counter[name] += count
                if counter[name] <= 0:
                    del counter[name]


def _bytes_rate(rate_per_s: float, burst: float, least: int) -> _SharedRate | None:
    return _rate(rate_per_s, max(burst or BURST_S * rate_per_s, least))

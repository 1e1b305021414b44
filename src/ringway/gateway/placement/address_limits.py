"""Bounds per address at a gateway: the rate of its requests, and its handshakes, relays and places.

The address is the address of a trusted proxy's client, or of the peer. A trusted proxy that names no client is not
bounded: otherwise all of its clients would count as one. `core.address` has the rule by which addresses share a bounded
resource.
"""

import asyncio
import time
from collections.abc import Callable, Collection

from ringway.core.address import EXEMPT, AddressShares, address_of
from ringway.core.outstanding import Outstanding
from ringway.core.rate import AddressRates
from ringway.core.refusals import Refusals
from ringway.errors import UpgradeError
from ringway.gateway.config.gateway import GatewayConfig
from ringway.gateway.stats import GatewayStats
from ringway.logger import get_logger
from ringway.protocol.forwarded import Network, is_trusted, read_client
from ringway.protocol.head import RequestHead
from ringway.protocol.proxy_header import peer_of
from ringway.protocol.response import retry_after

TOLD_S = 3.0
"""The time within which a node reports a redeemed ticket: it reports each second."""

_PAUSE_S = 2.0

_log = get_logger()


class AddressLimits:
    """The bounds of one gateway, and the part of each address. `clock` is monotonic."""

    def __init__(
        self,
        config: GatewayConfig,
        trusted: Collection[Network],
        stats: GatewayStats,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self.outstanding = Outstanding()
        self._config = config
        self._trusted = trusted
        self._stats = stats
        self._clock = clock
        self._asks = AddressRates()
        self._handshakes = AddressShares()
        self._relays = AddressShares()
        self._requests = AddressShares()
        self._refusals = Refusals()

    def peer_address(self, transport: asyncio.BaseTransport) -> str:
        """Return the address of a connection before its first request; `EXEMPT` for a trusted proxy's connection."""
        peer = transport.get_extra_info("peername")
        ip = peer[0] if isinstance(peer, tuple) else ""
        return EXEMPT if self._trusted and is_trusted(ip, self._trusted) else address_of(ip)

    def client_address(self, transport: asyncio.BaseTransport, head: RequestHead) -> str:
        """Return the address for which a request came; `EXEMPT` if a trusted proxy does not name it."""
        if not self._trusted:
            return self.peer_address(transport)
        peer = peer_of(head.source, transport.get_extra_info("peername"))
        who = read_client(peer.ip, head.headers, self._trusted)
        return EXEMPT if is_trusted(who.ip, self._trusted) else address_of(who.ip)

    def count_ask(self, address: str) -> float:
        """Count a `GET /gateway`; return 0, or the seconds until `address` may ask again."""
        per_s = self._config.address_asks_per_s
        if not per_s or address == EXEMPT:
            return 0.0
        wait_s = self._asks.take_unit(address, self._clock(), 1.0 / per_s, self._config.address_asks_burst / per_s)
        if wait_s:
            self._count(address, "asks")
        return wait_s

    def too_often(self, address: str, wait_s: float) -> str:
        """Return the message for a client that asks too often."""
        per_s = self._config.address_asks_per_s
        return f"{address} asks more than {per_s:g} times a second (address_asks_per_s); ask again in {wait_s:.3f} s"

    def may_have_place(self, address: str, free: float) -> bool:
        """Return True if `address` may be promised one more place, while nodes have `free` places."""
        shares, config = self.outstanding.shares, self._config
        room = shares.total + free
        if free <= 0 or shares.has_room(address, room, config.address_share, config.address_places_max):
            return True  # the error must say that no node has room
        self._count(address, "places")
        return False

    def too_many_places(self, address: str) -> str:
        """Return the message for a client whose address may be promised no more places."""
        setting = self.outstanding.shares.setting_met(address, self._config.address_places_max, "address_places_max")
        return (
            f"{address} was promised as many places as it may have, and has not taken them; take them, or come "
            f"again later ({setting})"
        )

    def begin_handshake(self, address: str, relays_max: int) -> None:
        """Count a WebSocket that is being opened; raise `UpgradeError` if the address has reached its bound."""
        config = self._config
        if not self._handshakes.has_room(address, config.handshakes_pending_max, config.address_share):
            whole = f"{config.handshakes_pending_max} handshakes"
            raise self._refusal(address, "handshakes", self._handshakes, whole, "address_share")
        if not self._relays.has_room(address, relays_max, config.address_share, config.address_relays_max):
            setting = self._relays.setting_met(address, config.address_relays_max, "address_relays_max")
            raise self._refusal(address, "relays", self._relays, f"{relays_max} WebSockets", setting)
        self._handshakes.add(address)
        self._relays.add(address)
        self.outstanding.begin(address)

    def end_handshake(self, address: str, *, came: bool, ours: bool) -> None:
        """End the count of a handshake that `begin_handshake` counted.

        `came`: the WebSocket is open, until `end_relay`. `ours`: its node redeemed a ticket of this gateway.
        """
        self._handshakes.remove(address)
        self.outstanding.finish(address, self._clock() + TOLD_S if ours else None)
        if not came:
            self._relays.remove(address)

    def end_relay(self, address: str) -> None:
        """End the count of a WebSocket."""
        self._relays.remove(address)

    def begin_request(self, address: str, requests_max: int) -> None:
        """Count a plain request under way; raise `UpgradeError` if the address has reached its bound."""
        if not self._requests.has_room(address, requests_max, self._config.address_share):
            raise self._refusal(address, "requests", self._requests, f"{requests_max} requests", "address_share")
        self._requests.add(address)

    def end_request(self, address: str) -> None:
        """End the count of a plain request."""
        self._requests.remove(address)

    def log_refusals(self) -> None:
        """Log the refusals since the last line; call it a few times a second."""
        due = self._refusals.due(self._clock())
        if due is not None:
            address, counts = due
            _log.warning("an address has as much as it may; it was refused more", address=address, **counts)

    def _refusal(self, address: str, bound: str, held: AddressShares, whole: str, setting: str) -> UpgradeError:
        self._count(address, bound)
        return UpgradeError(
            503,
            f"{address} has {held.count(address)} of {whole} and may have no more now; close some, or come again later "
            f"({setting})",
            (("Retry-After", retry_after(_PAUSE_S)),),
        )

    def _count(self, address: str, bound: str) -> None:
        self._stats.address_refused[bound] += 1
        self._refusals.add(address, bound)

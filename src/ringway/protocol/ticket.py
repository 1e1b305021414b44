"""Tickets: short-lived proof that a place at a node was reserved (PROTOCOL.md P-5).

A ticket is 33 bytes, written as 44 characters of URL-safe base64:

    version 1 · issuer 4 · nonce 8 · expiry 4 (Unix seconds) · MAC 16

The MAC is HMAC-SHA256 under the cluster's secret, cut to 128 bits, over the first 17 bytes and the node's name.
The name itself is not in the ticket: a node checks with its own, so a ticket for another node is simply forged.
That keeps `move <node> <ticket>` below the 123 bytes of a close reason for names of up to 63 characters.

Use-once is the node's part: it remembers the nonces of unexpired tickets (`NonceCache`).
"""

import base64
import binascii
import hashlib
import hmac
import struct
from collections import deque

from ringway.errors import Overloaded, TicketError
from ringway.types import Issuer, NodeName

TICKET_TTL_S = 10.0
"""How long a place is held: a client that follows its placement arrives within a second or two."""

TICKET_WAIT_S_MAX = 60.0
"""How long a client may have been told to wait before it comes; its ticket's time begins after that."""

CLOCK_SKEW_S = 5.0
"""By how much the wall clocks of two members may differ before tickets are refused."""

TICKET_LENGTH = 44

_VERSION = 1
_HEAD = struct.Struct(">B4s8sI")
_MAC_BYTES = 16


class TicketSigner:
    """Issues and checks tickets under one secret. `now` is wall-clock time in Unix seconds."""

    __slots__ = ("_keyed", "_telling")

    def __init__(self, secret: bytes) -> None:
        self._keyed = hmac.new(secret, b"ringway ticket\0", hashlib.sha256)
        self._telling = hmac.new(secret, b"ringway forwarded\0", hashlib.sha256)

    def _mac(self, head: bytes, node: NodeName) -> bytes:
        mac = self._keyed.copy()
        mac.update(head + node.encode())
        return mac.digest()[:_MAC_BYTES]

    def issue(self, node: NodeName, issuer: Issuer, nonce: bytes, now: float, ttl_s: float = TICKET_TTL_S) -> str:
        """Return a ticket that admits its bearer to `node` until `now + ttl_s`; `nonce` is 8 random bytes."""
        head = _HEAD.pack(_VERSION, bytes.fromhex(issuer), nonce, int(now + ttl_s) & 0xFFFFFFFF)
        return base64.urlsafe_b64encode(head + self._mac(head, node)).decode()

    def check(
        self, ticket: str, node: NodeName, now: float, ttl_max_s: float = TICKET_TTL_S + TICKET_WAIT_S_MAX
    ) -> tuple[Issuer, bytes]:
        """Return issuer and nonce of a genuine, timely ticket for `node`; raise `TicketError` for any other ticket."""
        try:
            raw = base64.b64decode(ticket.encode("ascii"), altchars=b"-_", validate=True)
            version, issuer, nonce, expiry = _HEAD.unpack(raw[: _HEAD.size])
        except (UnicodeEncodeError, binascii.Error, struct.error):
            raise TicketError("the ticket cannot be read; ask the gateway for one") from None
        if not hmac.compare_digest(raw[_HEAD.size :], self._mac(raw[: _HEAD.size], node)):
            raise TicketError(f"the ticket is forged, or for another node than {node}; ask the gateway for one")
        if version != _VERSION:
            raise TicketError(f"the ticket has version {version}, this node knows {_VERSION}; upgrade the node")
        if now > expiry + CLOCK_SKEW_S:
            raise TicketError("the ticket has expired; ask the gateway for a new one")
        if expiry > now + ttl_max_s + CLOCK_SKEW_S:
            raise TicketError("the ticket is from the future; set the clocks of the cluster's machines")
        return Issuer(issuer.hex()), nonce

    def prove(self, ticket: str, told: bytes) -> str:
        """Return what proves that a gateway has `told` this of the client that brings `ticket` (PROTOCOL.md P-3.4)."""
        mac = self._telling.copy()
        mac.update(ticket.encode() + b"\n" + told)
        return _cut(mac.digest())

    def proves(self, proof: str, ticket: str, told: bytes) -> bool:
        """Return True if `proof` is genuine."""
        return hmac.compare_digest(proof.encode("latin-1", "replace"), self.prove(ticket, told).encode())


def _cut(mac: bytes) -> str:
    return base64.urlsafe_b64encode(mac[:_MAC_BYTES]).decode().rstrip("=")


_KEEP_S = TICKET_TTL_S + TICKET_WAIT_S_MAX + 2 * CLOCK_SKEW_S + 1.0


class NonceCache:
    """The nonces that were used and could come again. `now` is the clock that tickets are checked by.

    A ticket is good from `TICKET_TTL_S + TICKET_WAIT_S_MAX + CLOCK_SKEW_S` before its expiry to `CLOCK_SKEW_S` after
    it; a nonce is kept for a second more than that, so that rounding opens no gap.
    """

    __slots__ = ("_keep_s", "_nonces", "_order", "_size_max")

    def __init__(self, keep_s: float = _KEEP_S, size_max: int = 200_000) -> None:
        self._keep_s = keep_s
        self._size_max = size_max
        self._nonces: set[bytes] = set()
        self._order: deque[tuple[float, bytes]] = deque()

    def spend(self, nonce: bytes, now: float) -> None:
        """Take `nonce`, once; raise `TicketError` the second time and `Overloaded` when the memory is full."""
        while self._order and self._order[0][0] <= now:
            self._nonces.discard(self._order.popleft()[1])
        if nonce in self._nonces:
            raise TicketError("the ticket was used before; ask the gateway for a new one")
        if len(self._nonces) >= self._size_max:
            raise Overloaded("spent tickets", self._size_max)
        self._nonces.add(nonce)
        self._order.append((now + self._keep_s, nonce))

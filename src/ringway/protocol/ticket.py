"""Tickets: short-lived proof that a place at a node was reserved (PROTOCOL.md P-5).

A ticket is 33 bytes, written as 44 characters of URL-safe base64:

    kind and version 1 · issuer 4 · nonce 8 · expiry 4 (Unix seconds) · MAC 16

The kind (the upper half of the first byte) says whether the ticket ends a move; the version is the lower half.
The MAC is HMAC-SHA256 under a key of the cluster, cut to 128 bits, over the first 17 bytes and the node's name.
The name itself is not in the ticket: a node checks with its own name, so a ticket for a different node is a forged one.
Thus `move <node> <ticket>` is below the 123 bytes of a close reason for names of up to 63 characters.

Use-once is the node's part: it remembers the nonces of unexpired tickets (`NonceCache`).
"""

import base64
import binascii
import enum
import hmac
import struct
from collections import deque
from collections.abc import Iterator
from typing import NamedTuple

from ringway.errors import Overloaded, TicketError
from ringway.protocol.keyring import Keyring, Purpose
from ringway.types import Issuer, NodeName

TICKET_TTL_S = 10.0
"""The time for which a place is held: a client that follows its placement arrives within a second or two."""

TICKET_WAIT_S_MAX = 60.0
"""The longest pause that a client may be given before it comes; its ticket's time begins after that."""

CLOCK_SKEW_S = 5.0
"""The difference of two members' wall clocks above which tickets are refused."""

TICKET_LENGTH = 44

NO_BEARER = Issuer("00000000")
"""The issuer of tickets that only name a hand-over between nodes: who reads their messages must not be admitted."""

_VERSION = 2
_VERSION_MASK = 0x0F
_HEAD = struct.Struct(">B4s8sI")
_MAC_BYTES = 16


class TicketKind(enum.IntEnum):
    """What the bearer's place is held for."""

    PLACEMENT = 0  # for a client that a gateway placed
    MOVE = 1  # for a client that was moved here from a different node


_FIRST = {kind: kind << 4 | _VERSION for kind in TicketKind}
"""The first byte of a ticket, by its kind."""


class CheckedTicket(NamedTuple):
    """The content of a genuine ticket."""

    issuer: Issuer
    nonce: bytes
    kind: TicketKind


class TicketSigner:
    """Issues and checks tickets with the keys of one cluster. `now` is wall-clock time in Unix seconds."""

    __slots__ = ("_generation", "_proofs", "_tickets", "keyring")

    def __init__(self, keyring: Keyring) -> None:
        self.keyring = keyring
        self._derive()

    def _derive(self) -> None:
        self._generation = self.keyring.generation
        self._tickets = _keyed(self.keyring, Purpose.TICKET)
        self._proofs = _keyed(self.keyring, Purpose.FORWARDED)

    def _ticket_keys(self) -> list[hmac.HMAC]:
        """Return the accepted keys; the first is the one to sign with."""
        if self._generation != self.keyring.generation:
            self._derive()
        return self._tickets

    def issue(
        self,
        node: NodeName,
        issuer: Issuer,
        nonce: bytes,
        now: float,
        ttl_s: float = TICKET_TTL_S,
        kind: TicketKind = TicketKind.PLACEMENT,
    ) -> str:
        """Return a ticket that admits its bearer to `node` until `now + ttl_s`; `nonce` is 8 random bytes."""
        head = _HEAD.pack(_FIRST[kind], bytes.fromhex(issuer), nonce, int(now + ttl_s) & 0xFFFFFFFF)
        return base64.urlsafe_b64encode(head + _mac(self._ticket_keys()[0], head + node.encode())).decode()

    def check(
        self, ticket: str, node: NodeName, now: float, ttl_max_s: float = TICKET_TTL_S + TICKET_WAIT_S_MAX
    ) -> CheckedTicket:
        """Return what a genuine, timely ticket for `node` says; raise `TicketError` for any other ticket."""
        try:
            raw = base64.b64decode(ticket.encode("ascii"), altchars=b"-_", validate=True)
            first, issuer, nonce, expiry = _HEAD.unpack(raw[: _HEAD.size])
        except (UnicodeEncodeError, binascii.Error, struct.error):
            raise TicketError("the ticket cannot be read; ask the gateway for one") from None
        signed = raw[: _HEAD.size] + node.encode()
        if not any(hmac.compare_digest(raw[_HEAD.size :], _mac(keyed, signed)) for keyed in self._ticket_keys()):
            raise TicketError(f"the ticket is forged, or for another node than {node}; ask the gateway for one")
        version, kind = first & _VERSION_MASK, first >> 4
        if version != _VERSION or kind > max(TicketKind):
            raise TicketError(
                f"the ticket has version {version} and kind {kind}, this node knows {_VERSION}; upgrade the node"
            )
        if now > expiry + CLOCK_SKEW_S:
            raise TicketError("the ticket has expired; ask the gateway for a new one")
        if expiry > now + ttl_max_s + CLOCK_SKEW_S:
            raise TicketError("the ticket is from the future; set the clocks of the cluster's machines")
        return CheckedTicket(Issuer(issuer.hex()), nonce, TicketKind(kind))

    def check_bearer(self, ticket: str, node: NodeName, now: float) -> CheckedTicket:
        """As `check`, for a client that shows the ticket: raise `TicketError` also if it admits nobody."""
        checked = self.check(ticket, node, now)
        if checked.issuer == NO_BEARER:
            raise TicketError("the ticket names a hand-over between nodes, and admits nobody; ask the gateway for one")
        return checked

    def prove(self, ticket: str, told: bytes) -> str:
        """Return a gateway's proof for its statements `told` about the client with `ticket` (PROTOCOL.md P-3.4)."""
        return next(self._told_macs(ticket, told))

    def proves(self, proof: str, ticket: str, told: bytes) -> bool:
        """Return True if `proof` is genuine."""
        given = proof.encode("latin-1", "replace")
        return any(hmac.compare_digest(given, mac.encode()) for mac in self._told_macs(ticket, told))

    def _told_macs(self, ticket: str, told: bytes) -> Iterator[str]:
        if self._generation != self.keyring.generation:
            self._derive()
        macs = (_mac(keyed, ticket.encode() + b"\n" + told) for keyed in self._proofs)
        return (base64.urlsafe_b64encode(mac).decode().rstrip("=") for mac in macs)


def _keyed(keyring: Keyring, purpose: Purpose) -> list[hmac.HMAC]:
    return [hmac.new(key, digestmod="sha256") for key in keyring.keys(purpose)]


def _mac(keyed: hmac.HMAC, message: bytes) -> bytes:
    mac = keyed.copy()
    mac.update(message)
    return mac.digest()[:_MAC_BYTES]


_KEEP_S = TICKET_TTL_S + TICKET_WAIT_S_MAX + 2 * CLOCK_SKEW_S + 1.0


class NonceCache:
    """The nonces that were used and could come again. `now` is the clock by which tickets are checked.

    A ticket is valid from `TICKET_TTL_S + TICKET_WAIT_S_MAX + CLOCK_SKEW_S` before its expiry to `CLOCK_SKEW_S` after
    it; a nonce is stored for a second more than that, so that rounding opens no gap.
    """

    __slots__ = ("_keep_s", "_nonces", "_order", "_size_max")

    def __init__(self, keep_s: float = _KEEP_S, size_max: int = 200_000) -> None:
        self._keep_s = keep_s
        self._size_max = size_max
        self._nonces: set[bytes] = set()
        self._order: deque[tuple[float, bytes]] = deque()

    def redeem(self, nonce: bytes, now: float) -> None:
        """Store `nonce`; raise `TicketError` if it is stored already, and `Overloaded` if the memory is full."""
        while self._order and self._order[0][0] <= now:
            self._nonces.discard(self._order.popleft()[1])
        if nonce in self._nonces:
            raise TicketError("the ticket was used before; ask the gateway for a new one")
        if len(self._nonces) >= self._size_max:
            raise Overloaded("redeemed tickets", self._size_max)
        self._nonces.add(nonce)
        self._order.append((now + self._keep_s, nonce))

"""Sealed messages: those between members, with sender, number, time and a proof (PROTOCOL.md P-8.1).

    version 1 · kind 1 · origin 4 · number 8 · time 6 · MAC 16 · body

The version is that of the wire. The kind says what the body is; its meaning depends on the purpose. The origin is the
sender's incarnation. The number grows with each message of one sealer. The time is the sender's wall clock in
milliseconds of Unix time. The MAC is BLAKE2b of 128 bits, keyed (RFC 7693), over the context, a zero byte, the head
and the body. The context is not sent: it is where the message was received (a member's name, an address, a channel), so
that a message that is repeated elsewhere is forged. No context contains a zero byte.

Head and MAC are the same in all versions: a message of an unknown version can be proven, and its sender named.
"""

import enum
import hashlib
import struct
from collections.abc import Callable, Iterable
from hmac import compare_digest
from typing import NamedTuple

from ringway.errors import ProtocolError
from ringway.protocol.close import BAD_REQUEST
from ringway.protocol.keyring import Keyring, Purpose
from ringway.types import Incarnation

WIRE_VERSION = 2
"""The version in which a process seals until it has chosen one: the lowest that it speaks."""

WIRE_MIN, WIRE_MAX = 2, 2
"""The versions that this member speaks. Version 1 was neither numbered nor sealed: JSON, or a bare head of 13 bytes."""

_VERSION_1 = b"{pjl"
"""The first bytes of messages of version 1."""

_HEAD = struct.Struct(">BB4sQHI")
_NUMBER_AND_TIME = struct.Struct(">QHI")
_TIME = struct.Struct(">HI")
_NUMBER_AT = _HEAD.size - _NUMBER_AND_TIME.size
_TIME_AT = _HEAD.size - _TIME.size
_MAC_BYTES = 16

_MAC_AT = _HEAD.size

KIND_AND_ORIGIN = slice(1, _NUMBER_AT)
"""A part of the head, which is read in place."""

BODY_AT = _MAC_AT + _MAC_BYTES
"""Where the body begins: 36."""

CONTEXTS_MAX = 8192
"""Contexts whose MACs are kept, begun: some 4 MiB."""

AGE_S_MAX = 120.0
"""How old a message may be when it is received, and how far in the future its time: delay and skew together."""


class SealFault(enum.StrEnum):
    """Why a message was not believed."""

    UNSEALED = "unsealed"  # too short, or of version 1
    FORGED = "forged"  # a different secret, or a different context
    VERSION = "version"  # proven, and of a version that this member does not read
    STALE = "stale"  # its time is too far from now
    REPLAYED = "replayed"  # its number was received before
    UNREADABLE = "unreadable"  # proven, and its body cannot be decoded


class SealError(ProtocolError):
    """A message was not believed; `fault` says why."""

    def __init__(self, fault: SealFault, message: str) -> None:
        super().__init__(BAD_REQUEST, message)
        self.fault = fault


class SealedMessage(NamedTuple):
    """A message that is proven."""

    version: int
    kind: int
    origin: Incarnation
    number: int
    sent_at: float
    """The sender's wall clock, in Unix seconds."""
    body: bytes


class UnknownVersion(SealError):
    """A message is proven, and of a wire version that this member does not read; `sealed` is the message."""

    def __init__(self, sealed: SealedMessage) -> None:
        super().__init__(
            SealFault.VERSION,
            f"its sender speaks wire version {sealed.version}, this cluster reads {WIRE_MIN} to {WIRE_MAX}; upgrade "
            + ("it" if sealed.version < WIRE_MIN else "the others")
            + " (docs/howto/upgrade.md)",
        )
        self.sealed = sealed


class Sealer:
    """Seals the messages of one member for one purpose. `wall` is Unix time in seconds."""

    __slots__ = ("_generation", "_keyed", "_keyring", "_number", "_origin", "_purpose", "_wall")

    def __init__(self, keyring: Keyring, purpose: Purpose, origin: Incarnation, wall: Callable[[], float]) -> None:
        self._keyring = keyring
        self._purpose = purpose
        self._origin = bytes.fromhex(origin)
        self._wall = wall
        self._number = 0
        self._generation = -1

    @property
    def number(self) -> int:
        """The number of the last message; 0 before the first."""
        return self._number

    @property
    def fingerprints(self) -> tuple[str, ...]:
        """The secrets of this member, as operators see them (`Keyring.fingerprints`)."""
        return self._keyring.fingerprints

    @property
    def wire_version(self) -> int:
        """The wire version in which this member seals now."""
        return self._keyring.wire_version or WIRE_VERSION

    def seal(self, kind: int, context: bytes, body: bytes, version: int = 0) -> bytes:
        """Return `body`, sealed under the next number; in the wire version `version` if that is not 0."""
        if self._generation != self._keyring.generation:
            self._read_key()
        self._number += 1
        ms = int(self._wall() * 1000)
        version = version or self._keyring.wire_version or WIRE_VERSION
        head = _HEAD.pack(version, kind, self._origin, self._number, (ms >> 32) & 0xFFFF, ms & 0xFFFFFFFF)
        mac = self._keyed.copy()
        mac.update(b"".join((context, b"\0", head, body)))
        return b"".join((head, mac.digest(), body))

    def seal_many(self, kind: int, messages: Iterable[tuple[bytes, bytes]]) -> list[bytes]:
        """Return the bodies of `messages`, pairs of context and body, sealed under the next numbers at one time.

        It takes less time than a `seal` for each. The MAC of each is its own, since it covers context and number.
        """
        if self._generation != self._keyring.generation:
            self._read_key()
        ms = int(self._wall() * 1000)
        version, high, low = self.wire_version, (ms >> 32) & 0xFFFF, ms & 0xFFFFFFFF
        pack, origin, begin, join = _HEAD.pack, self._origin, self._keyed.copy, b"".join
        number, sealed = self._number, []
        for context, body in messages:
            number += 1
            head = pack(version, kind, origin, number, high, low)
            mac = begin()
            mac.update(join((context, b"\0", head, body)))
            sealed.append(join((head, mac.digest(), body)))
        self._number = number
        return sealed

    def _read_key(self) -> None:
        self._generation = self._keyring.generation
        self._keyed = _keyed(self._keyring.keys(self._purpose)[0])


class Unsealer:
    """Opens sealed messages of one purpose.

    The MACs of contexts are kept as far as key and context go. Overflow rule: above `CONTEXTS_MAX`, the context is
    dropped that was kept first.
    """

    __slots__ = ("_begun", "_generation", "_keyed", "_keyring", "_purpose")

    def __init__(self, keyring: Keyring, purpose: Purpose) -> None:
        self._keyring = keyring
        self._purpose = purpose
        self._generation = -1
        self._begun: dict[bytes, hashlib._Hash] = {}

    def unseal(self, context: bytes, raw: bytes) -> SealedMessage:
        """Return what is in `raw`, which came from `context`; raise `SealError` if it is not proven.

        Number and time are not judged here: what they must be depends on the purpose (`check_time`, `ReplayWindow`).
        """
        self._prove(context, raw)
        return _read(raw)

    def prove(self, context: bytes, raw: bytes) -> None:
        """As `unseal`, for messages that are read in place, and contexts from which more will come.

        It takes less time: nothing is returned, and the MAC of the context is begun only once.
        """
        begun = self._begun.get(context)
        if begun is not None and self._generation == self._keyring.generation:
            mac = begun.copy()
            mac.update(raw[:_MAC_AT])
            mac.update(raw[BODY_AT:])
            if compare_digest(mac.digest(), raw[_MAC_AT:BODY_AT]) and WIRE_MIN <= raw[0] <= WIRE_MAX:
                return
        proven = self._prove(context, raw)
        if begun is None and len(self._begun) >= CONTEXTS_MAX:
            del self._begun[next(iter(self._begun))]
        self._begun[context] = proven

    def _prove(self, context: bytes, raw: bytes) -> "hashlib._Hash":
        """Return the MAC of the context, begun, by the key that proves the message."""
        if len(raw) < BODY_AT or not WIRE_MIN <= raw[0] <= WIRE_MAX:
            _require_seal(raw)
        if self._generation != self._keyring.generation:
            self._generation = self._keyring.generation
            self._keyed = [_keyed(key) for key in self._keyring.keys(self._purpose)]
            self._begun.clear()
        head, proof, body = raw[:_MAC_AT], raw[_MAC_AT:BODY_AT], raw[BODY_AT:]
        for keyed in self._keyed:
            begun = keyed.copy()
            begun.update(context + b"\0")
            mac = begun.copy()
            mac.update(head + body)
            if compare_digest(mac.digest(), proof):
                break
        else:
            raise SealError(
                SealFault.FORGED, "a message is not sealed with the cluster's secret; give all members the same secret"
            )
        if not WIRE_MIN <= raw[0] <= WIRE_MAX:
            raise UnknownVersion(_read(raw))
        return begun


def _require_seal(raw: bytes) -> None:
    """Raise `SealError` if the message has no seal: it is too short, or of version 1."""
    if raw and (raw[0] < 2 or raw[0] in _VERSION_1):
        raise SealError(
            SealFault.UNSEALED, "its sender speaks wire version 1, the one before sealed messages; upgrade it"
        )
    if len(raw) < BODY_AT:
        raise SealError(SealFault.UNSEALED, f"a message of {len(raw)} bytes is not sealed; upgrade its sender")


def _read(raw: bytes) -> SealedMessage:
    version, kind, origin, number, high, low = _HEAD.unpack_from(raw)
    return SealedMessage(version, kind, Incarnation(origin.hex()), number, ((high << 32) | low) / 1000, raw[BODY_AT:])


def sent_ms(raw: bytes) -> float:
    """Return the time in the head of a message that is proven, in whole milliseconds of Unix time."""
    high: int
    low: int
    high, low = _TIME.unpack_from(raw, _TIME_AT)
    return high * 4294967296.0 + low  # exact, and less work than with integers of 48 bits


def number_and_time(raw: bytes) -> tuple[int, float]:
    """Return the number in the head of a message that is proven, and its time in Unix seconds."""
    number: int
    number, high, low = _NUMBER_AND_TIME.unpack_from(raw, _NUMBER_AT)
    return number, (high * 4294967296.0 + low) / 1000


def check_time(sealed: SealedMessage, now: float) -> None:
    """Raise `SealError` if the message is too old, or from the future, by the clock that shows `now` here."""
    age_s = now - sealed.sent_at
    if abs(age_s) > AGE_S_MAX:
        raise stale(age_s)


def stale(age_s: float) -> SealError:
    """Return the error of a message that was sealed `age_s` ago by its sender's clock."""
    return SealError(
        SealFault.STALE,
        f"a message was sealed {age_s:.0f} s ago by its sender's clock: it waited, or a clock is wrong; set the "
        "clocks of the machines",
    )


def _keyed(key: bytes) -> "hashlib._Hash":
    return hashlib.blake2b(key=key, digest_size=_MAC_BYTES)  # type: ignore[return-value]  # typeshed: another class

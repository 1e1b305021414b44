"""Revoked tokens: what one member knows of them, until the tokens would have ended by themselves.

Theory. The set of a cluster only grows, except by time, and of two revocations of the same tokens the later times
count. So members may learn revocations in any order, and repeatedly, and those that know the same have the same
**digest**: the sum of the hashes of all revocations. Each member counts what it learns, so that another one can ask for
what is new.

Overflow rule: above `size_max` nothing is added, and nothing is ever forgotten before its time: who revokes is told.
"""

import hashlib
from collections.abc import Iterable
from typing import NamedTuple

import msgspec

from ringway.core.credentials import Credentials
from ringway.core.expiries import Expiries
from ringway.protocol.revocation import Revocation

SIZE_MAX = 100_000
"""The default of `token.revocations_max`: some 65 MB."""

_DIGEST_BITS = 64

Key = tuple[str, str, str]


class Learned(NamedTuple):
    """The revocations that were new, and the number of those for which there was no room."""

    fresh: list[Revocation]
    left_out: int


class Revocations:
    """The revocations that one member knows. `now` is Unix time, in seconds."""

    __slots__ = ("_by_key", "_digest", "_ends", "_size_max", "number")

    def __init__(self, size_max: int = SIZE_MAX) -> None:
        self._by_key: dict[Key, tuple[int, Revocation]] = {}  # with its number, in ascending order
        self._ends: Expiries[Key] = Expiries()
        self._digest = 0
        self._size_max = size_max
        self.number = 0
        """The number of the newest revocation, by the count of this member."""

    def __len__(self) -> int:
        return len(self._by_key)

    @property
    def size_max(self) -> int:
        """The most revocations that are kept."""
        return self._size_max

    @property
    def digest(self) -> str:
        """The digest of all revocations: the same for all members that know the same."""
        return f"{self._digest:016x}"

    def learn(self, revocations: Iterable[Revocation], now: float) -> Learned:
        """Add `revocations`; those that are over, or known with times as late, change nothing."""
        self.tick(now)
        fresh: list[Revocation] = []
        left_out = 0
        for revocation in revocations:
            known = self._by_key.get(revocation.key)
            if known is not None:
                revocation = _later(known[1], revocation)
                if revocation == known[1]:
                    continue
            elif revocation.expires_at <= now:
                continue
            elif len(self._by_key) >= self._size_max:
                left_out += 1
                continue
            self._put(revocation)
            fresh.append(revocation)
        return Learned(fresh, left_out)

    def revokes(self, token_id: str, user: str, issued_at: float, channel: str = "") -> bool:
        """True if a token is revoked: its id, its user, when it was issued (0: not known), and the channel that it is
        for; empty for a connection token.
        """
        known = self._by_key
        if not known:
            return False
        if token_id and (token_id, "", "") in known:
            return True
        if not user:
            return False
        of_all = known.get(("", user, ""))
        if of_all is not None and issued_at < of_all[1].issued_before:
            return True
        of_channel = known.get(("", user, channel)) if channel else None
        return of_channel is not None and issued_at < of_channel[1].issued_before

    def revokes_bearer(self, credentials: Credentials) -> bool:
        """True if the token of a connected client is revoked.

        If it is not known when it was issued, or there was none, the time of the connect command counts.
        """
        issued_at = credentials.issued_at or credentials.connected_at
        return self.revokes(credentials.jti, credentials.user, issued_at)

    def page(self, after: int, most: int) -> tuple[list[Revocation], int, bool]:
        """Return up to `most` revocations with numbers above `after`, the last number, and True if these are all."""
        found: list[Revocation] = []
        for number, revocation in self._by_key.values():
            if number <= after:
                continue
            if len(found) >= most:
                return found, after, False
            found.append(revocation)
            after = number
        return found, self.number, True

    def tick(self, now: float) -> None:
        """Forget what is over."""
        for key in self._ends.due(now):
            self._forget(key)

    def _put(self, revocation: Revocation) -> None:
        self._forget(revocation.key)
        self.number += 1
        self._by_key[revocation.key] = self.number, revocation
        self._ends.put(revocation.key, revocation.expires_at)
        self._digest = (self._digest + _hash(revocation)) % (1 << _DIGEST_BITS)

    def _forget(self, key: Key) -> None:
        known = self._by_key.pop(key, None)
        if known is not None:
            self._digest = (self._digest - _hash(known[1])) % (1 << _DIGEST_BITS)


def _later(known: Revocation, other: Revocation) -> Revocation:
    return msgspec.structs.replace(
        known,
        expires_at=max(known.expires_at, other.expires_at),
        issued_before=max(known.issued_before, other.issued_before),
    )


def _hash(revocation: Revocation) -> int:
    raw = msgspec.msgpack.encode(revocation)
    return int.from_bytes(hashlib.blake2b(raw, digest_size=_DIGEST_BITS // 8).digest(), "big")

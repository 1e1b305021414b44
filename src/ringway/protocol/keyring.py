"""Keys of a cluster: one for each purpose, derived from the cluster's secret (PROTOCOL.md P-8.2).

HKDF with SHA-256 (RFC 5869); the `info` is the purpose. A key that leaks, or a message that is replayed for another
purpose, proves nothing elsewhere. A cluster changes its secret without an outage: members accept what was signed with
the current secret and with the previous one, and sign with the current one.
"""

import enum
import hmac

_SALT = b"ringway members"
_EMPTY_SALT_BYTES = 32
_FINGERPRINT_BYTES = 4


class Purpose(enum.StrEnum):
    """What a key is for."""

    REPORT = "report"
    BUS = "bus"
    PUBLICATION = "publication"
    TICKET = "ticket"
    FORWARDED = "forwarded"
    KNOCK = "knock"
    STICKY = "sticky"
    FINGERPRINT = "fingerprint"


def hkdf(secret: bytes, salt: bytes, info: bytes) -> bytes:
    """Return 32 bytes derived from `secret`: HKDF with SHA-256, one block (RFC 5869, sections 2.2 and 2.3)."""
    key = hmac.digest(salt or bytes(_EMPTY_SALT_BYTES), secret, "sha256")
    return hmac.digest(key, info + b"\x01", "sha256")


def derive_key(secret: bytes, purpose: Purpose) -> bytes:
    """Return the 32 bytes of the key for `purpose`."""
    return hkdf(secret, _SALT, purpose.encode())


def fingerprint_of(secret: bytes) -> str:
    """Return 8 hexadecimal digits by which operators recognise `secret`: of a key that serves nothing else."""
    return derive_key(secret, Purpose.FINGERPRINT)[:_FINGERPRINT_BYTES].hex()


class Keyring:
    """The secrets of the cluster in one process: the current one, and the previous one while it is still accepted.

    All that sign or check hold the same keyring, and derive their keys anew when `generation` has grown.
    """

    __slots__ = ("_current", "_keys", "_previous", "fingerprints", "generation", "wire_version")

    def __init__(self, current: bytes, previous: bytes = b"") -> None:
        self._set(current, previous)
        self.generation = 0
        """Grows with each change of the secrets."""
        self.wire_version = 0
        """The wire version in which the process seals, by `core.wire_choice`; 0: not chosen yet."""

    def _set(self, current: bytes, previous: bytes) -> None:
        self._current, self._previous = current, previous
        self._keys: dict[Purpose, tuple[bytes, ...]] = {}
        self.fingerprints: tuple[str, ...] = tuple(fingerprint_of(secret) for secret in self._secrets)
        """The secrets as operators see them: first the signing secret, then further accepted secrets."""

    @property
    def _secrets(self) -> tuple[bytes, ...]:
        return (self._current, self._previous) if self._previous else (self._current,)

    def replace(self, current: bytes, previous: bytes = b"") -> bool:
        """Sign with `current` from now on, accept `previous` too if not empty; return True if that is new."""
        if (current, previous) == (self._current, self._previous):
            return False
        self._set(current, previous)
        self.generation += 1
        return True

    def keys(self, purpose: Purpose) -> tuple[bytes, ...]:
        """Return the keys for `purpose`: first the signing key, then further accepted keys."""
        if purpose not in self._keys:
            self._keys[purpose] = tuple(derive_key(secret, purpose) for secret in self._secrets)
        return self._keys[purpose]

"""Forged, expired, cut and re-signed tokens without end: none may be accepted."""

import hmac
from collections.abc import Callable
from random import Random

from support.tokens import HASHES, NOW, SECRET, make_token, part

ALPHABET = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"


class Forger:
    """Makes bad tokens; `public_pem` is a public key that the verifier knows, to be misused as a secret."""

    def __init__(self, rng: Random, public_pem: str = "") -> None:
        self._rng = rng
        self._pem = public_pem.encode() or b"-----BEGIN PUBLIC KEY-----"
        self._good = make_token({"sub": "42", "exp": NOW + 3600, "iat": NOW, "info": {"name": "Zoe"}})
        self._other = make_token({"sub": "1", "exp": NOW + 3600})
        self.kinds: dict[str, Callable[[], str]] = {
            "expired": self.expired,
            "cut": self.cut,
            "one character changed": self.changed,
            "one character more": self.longer,
            "re-signed": self.re_signed,
            "without a signature": self.unsigned,
            "signed by the public key": self.signed_by_public_key,
            "with a signature of another token": self.swapped,
            "with other claims": self.other_claims,
            "with another algorithm": self.other_algorithm,
            "from the future": self.future,
        }

    def make_next(self) -> tuple[str, str]:
        """Return a kind and a token of it."""
        kind = self._rng.choice(list(self.kinds))
        return kind, self.kinds[kind]()

    def expired(self) -> str:
        return make_token({"sub": self._user(), "exp": NOW - self._rng.randrange(10**9)})

    def cut(self) -> str:
        return self._good[: self._rng.randrange(len(self._good))]

    def changed(self) -> str:
        at = self._rng.randrange(len(self._good))
        others = [char for char in ALPHABET + ".=+/" if char != self._good[at]]
        return self._good[:at] + self._rng.choice(others) + self._good[at + 1 :]

    def longer(self) -> str:
        at = self._rng.randrange(len(self._good) + 1)
        return self._good[:at] + self._rng.choice(ALPHABET + ".=+/ \n!\u00e9") + self._good[at:]

    def re_signed(self) -> str:
        secret = self._rng.choice([self._rng.randbytes(32), SECRET[:-1], SECRET + b"x", SECRET.upper(), b""])
        return make_token({"sub": self._user(), "exp": NOW + 3600}, secret, alg=self._rng.choice(list(HASHES)))

    def unsigned(self) -> str:
        alg = "".join(self._rng.choice((char, char.upper())) for char in "none")
        signature = self._rng.choice(["", "AA", self._good.rpartition(".")[2]])
        return f"{part({'alg': alg})}.{part({'sub': self._user()})}.{signature}"

    def signed_by_public_key(self) -> str:
        return make_token({"sub": self._user()}, self._rng.choice([self._pem, self._pem.strip()]))

    def swapped(self) -> str:
        head, claims, _ = self._good.split(".")
        return f"{head}.{claims}.{self._other.rpartition('.')[2]}"

    def other_claims(self) -> str:
        head, _, signature = self._good.split(".")
        return f"{head}.{part({'sub': self._user(), 'exp': NOW + 3600})}.{signature}"

    def other_algorithm(self) -> str:
        """The signature is genuine for one hash, and the header names a different one, or none that there is."""
        alg = self._rng.choice(["HS384", "HS512", "RS256", "ES256", "PS256", "EdDSA", "hs256", "HS256 ", "HS1"])
        signed = f"{part({'alg': alg})}.{part({'sub': self._user()})}"
        return f"{signed}.{part(hmac.digest(SECRET, signed.encode(), 'sha256'))}"

    def future(self) -> str:
        name = self._rng.choice(["nbf", "iat"])
        return make_token({"sub": self._user(), name: NOW + 31 + self._rng.randrange(10**6)})

    def _user(self) -> str:
        return str(self._rng.randrange(10**9))

"""Rules for tokens of one kind: the keys that prove them, and what they must say about issuer and audience."""

import re
import time
from collections.abc import Callable
from random import Random

from ringway.auth.config import TokenRulesConfig
from ringway.auth.jwks import JwksEndpoint
from ringway.auth.static_keys import key_files, make_keys, read_key_texts
from ringway.errors import KeyUnknown, TokenInvalid
from ringway.protocol.claims import TokenClaims, check_times
from ringway.protocol.jwt import SHOWN_MAX, CompactToken, read_compact

ASYMMETRIC = ("RS", "ES", "Ed")
"""The first letters of algorithms whose keys may be in a key set."""


class TokenRules:
    """The rules in the settings `section`. Raise `ConfigError` with every key that cannot be used."""

    def __init__(
        self, section: str, config: TokenRulesConfig, rng: Random, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._section = section
        self._config = config
        self._texts = read_key_texts(section, config)
        self._keys = make_keys(section, config, self._texts)
        self.jwks = JwksEndpoint(section, config, rng, clock) if config.jwks_public_endpoint else None
        self._audience = _matcher(config.audience, config.audience_regex)
        self._issuer = _matcher(config.issuer, config.issuer_regex)
        self.files = key_files(config)
        self.user_id_claim = config.user_id_claim

    def reread_keys(self) -> bool:
        """Read the files of keys again; return True if a key has changed.

        Raise `ConfigError` if one cannot be used: then all keys stay as they are.
        """
        texts = read_key_texts(self._section, self._config)
        if texts == self._texts:
            return False
        self._keys = make_keys(self._section, self._config, texts)
        self._texts = texts
        return True

    def prove(self, token: str, now: float) -> bytes:
        """Return the claims of `token`, whose signature is by one of the keys; raise `TokenInvalid` or `KeyUnknown`."""
        read = read_compact(token, self._config.bytes_max)
        alg = read.alg
        allowed = False
        for key in self._keys:
            if key.allows(alg) and now < key.valid_until:
                allowed = True
                if key.proves(alg, read.signed, read.signature):
                    return read.claims
        if self.jwks is not None and alg.startswith(ASYMMETRIC):
            return self._prove_by_set(self.jwks, read)
        if not allowed:
            raise TokenInvalid(f"no key is set for its algorithm {alg!r}")
        raise TokenInvalid("its signature is by none of the keys")

    def check(self, claims: TokenClaims, now: float) -> None:
        """Raise `TokenExpired` or `TokenInvalid` if the token is not of this time, this issuer or this audience."""
        check_times(claims, now, self._config.leeway_s)
        if self._issuer is not None and not self._issuer(claims.iss):
            raise TokenInvalid(f"its issuer is {_shown(claims.iss)}, and not what the settings ask for (issuer)")
        if self._audience is not None and not any(map(self._audience, claims.audience)):
            named = ", ".join(map(_shown, claims.audience)) or "not given"
            raise TokenInvalid(f"its audience is {named}, and not what the settings ask for (audience)")

    def _prove_by_set(self, jwks: JwksEndpoint, read: CompactToken) -> bytes:
        if not read.kid:
            raise TokenInvalid("it names no kid, and keys of a key set are chosen by it")
        keys = jwks.keys_of(read.kid)
        if not keys:
            if jwks.may_fetch:
                raise KeyUnknown(f"its kid {_shown(read.kid)} is not known yet")
            raise TokenInvalid(f"its kid {_shown(read.kid)} is not in the key set, which was read a moment ago")
        for key in keys:
            if key.allows(read.alg) and key.proves(read.alg, read.signed, read.signature):
                return read.claims
        raise TokenInvalid(f"its signature is not by the key {_shown(read.kid)} of the key set")


def _matcher(value: str, pattern: str) -> Callable[[str], bool] | None:
    """Return the rule for a text, by value or pattern; None if there is no rule."""
    if pattern:
        whole = re.compile(pattern).fullmatch
        return lambda text: whole(text) is not None
    return value.__eq__ if value else None


def _shown(text: str) -> str:
    return repr(text if len(text) <= SHOWN_MAX else f"{text[: SHOWN_MAX - 3]}...")

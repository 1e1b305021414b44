"""JSON Web Key Sets (RFC 7517): the public keys of an issuer, each by its name.

A set is read whole or not at all; keys in it that cannot sign tokens, such as keys for encryption, are passed over. A
secret key in it (`kty: oct`), or a private one, proves nothing, because the set is public.
"""

from typing import Any

import msgspec

from ringway.auth.key import TokenKey, algorithms_of
from ringway.errors import ConfigError, RingwayError
from ringway.protocol.jwt import KID_CHARS_MAX

KEYS_MAX = 100
"""Keys in one set; providers publish two to ten."""

SET_BYTES_MAX = 256 * 1024
"""The size of an answer with a set; a key with its certificate has some 3 KB."""


class KeySetUnusable(RingwayError):
    """A key set cannot be used; the last one stays in use."""


class _Set(msgspec.Struct, frozen=True):
    keys: list[dict[str, Any]]


Keys = dict[str, tuple[TokenKey, ...]]
"""The keys by their `kid`; keys of different kinds may have one name (RFC 7517, 4.5)."""


def read_key_set(body: bytes) -> tuple[Keys, list[str]]:
    """Return the keys of the set in `body`, and why others were passed over; raise `KeySetUnusable`."""
    try:
        found = msgspec.json.decode(body, type=_Set).keys
    except (ValueError, RecursionError) as error:
        raise KeySetUnusable(f"the answer is no key set: {error}") from None
    if len(found) > KEYS_MAX:
        raise KeySetUnusable(f"the set has {len(found)} keys; at most {KEYS_MAX} are read")
    keys: Keys = {}
    problems: list[str] = []
    for index, each in enumerate(found):
        try:
            kid, key = _read_key(each, index)
        except ConfigError as error:
            problems += error.problems
        else:
            keys[kid] = (*keys.get(kid, ()), key)
    if not keys:
        raise KeySetUnusable("the set has no key for signatures of tokens" + "".join(f"; {each}" for each in problems))
    return keys, problems


def _read_key(jwk: dict[str, Any], index: int) -> tuple[str, TokenKey]:
    """Return name and key; raise `ConfigError` with the reason why the key is not used."""
    from jwt.algorithms import ECAlgorithm, OKPAlgorithm, RSAAlgorithm

    kid = jwk.get("kid")
    name = f"key {kid!r:.60}" if isinstance(kid, str) else f"key number {index + 1}"
    if not isinstance(kid, str) or not 0 < len(kid) <= KID_CHARS_MAX:
        raise ConfigError(f"{name} has no kid of 1 to {KID_CHARS_MAX} characters, so no token can name it")
    if "d" in jwk or "k" in jwk:
        raise ConfigError(f"{name} is a secret that was published, and proves nothing")
    operations = jwk.get("key_ops", ["verify"])
    if jwk.get("use", "sig") != "sig" or not isinstance(operations, list) or "verify" not in operations:
        raise ConfigError(f"{name} is not for signatures")
    kinds: dict[Any, Any] = {"RSA": RSAAlgorithm, "EC": ECAlgorithm, "OKP": OKPAlgorithm}
    kty, alg = jwk.get("kty"), jwk.get("alg")
    kind = kinds.get(kty) if isinstance(kty, str) else None
    if kind is None:
        raise ConfigError(f"{name} has the kty {kty!r:.40}; RSA, EC and OKP are read")
    try:
        public = kind.from_jwk(jwk)
    except Exception as error:  # the library lets the errors of its parts through, of any type
        raise ConfigError(f"{name} cannot be read: {error}") from None
    _, algorithms = algorithms_of(public, name)
    if alg is not None and (not isinstance(alg, str) or alg not in algorithms):
        raise ConfigError(
            f"{name} is for the algorithm {alg!r:.40}, and such keys are used for {', '.join(algorithms)}"
        )
    return kid, TokenKey(public, algorithms if alg is None else {alg: algorithms[alg]})

"""Settings of tokens: the keys that prove them, and what a token must say. Nodes and gateways share them."""

import re
from typing import Annotated, ClassVar

import msgspec

from ringway.errors import refuse
from ringway.protocol.address import url_problems
from ringway.protocol.jwt import TOKEN_BYTES_MAX

JWKS_PORTS = {"https": 443, "http": 80}
JWKS_FORM = "write https://host/path"

_CLAIM = re.compile(r"[A-Za-z0-9_.:/-]{1,128}")


class TokenRulesConfig(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The settings that `[token]` and `[subscription_token]` have in common."""

    hmac_secret_key: Annotated[
        str,
        msgspec.Meta(
            description="The secret of tokens with HS256, HS384 or HS512, shared with the issuer. Prefer the file or "
            "the environment: other users of the machine can read flags.",
            extra={"secret": True},
        ),
    ] = ""
    hmac_secret_key_file: Annotated[
        str,
        msgspec.Meta(
            description="A file with that secret; surrounding white space is ignored. All files of keys are read again "
            "when they change, and on SIGHUP."
        ),
    ] = ""
    hmac_previous_secret_key: Annotated[
        str,
        msgspec.Meta(
            description="The secret from before a change. Its tokens are accepted until "
            "`hmac_previous_secret_key_valid_until`.",
            extra={"secret": True},
        ),
    ] = ""
    hmac_previous_secret_key_file: Annotated[
        str, msgspec.Meta(description="A file with the previous secret; an empty file is none.")
    ] = ""
    hmac_previous_secret_key_valid_until: Annotated[
        int,
        msgspec.Meta(
            description="The end of the previous secret, in Unix seconds. 0: until it is taken out of the settings.",
            ge=0,
        ),
    ] = 0
    hmac_secret_bytes_min: Annotated[
        int,
        msgspec.Meta(
            description="The shortest secret that is accepted. Whoever has one token can try out short secrets at "
            "home; RFC 7518 (3.2) asks for 32 bytes. Lower it only for a secret that cannot be changed.",
            ge=1,
            le=1024,
            extra={"unit": "bytes"},
        ),
    ] = 32
    rsa_public_key: Annotated[
        str,
        msgspec.Meta(description="The public key, in PEM, of tokens with RS256, RS384 or RS512; 2048 to 8192 bits."),
    ] = ""
    rsa_public_key_file: Annotated[str, msgspec.Meta(description="A file with that key.")] = ""
    ecdsa_public_key: Annotated[
        str,
        msgspec.Meta(
            description="The public key, in PEM, of tokens with ES256 (curve P-256), ES384 (P-384) or ES512 (P-521)."
        ),
    ] = ""
    ecdsa_public_key_file: Annotated[str, msgspec.Meta(description="A file with that key.")] = ""
    eddsa_public_key: Annotated[
        str, msgspec.Meta(description="The public key, in PEM, of tokens with EdDSA (Ed25519 or Ed448).")
    ] = ""
    eddsa_public_key_file: Annotated[str, msgspec.Meta(description="A file with that key.")] = ""

    jwks_public_endpoint: Annotated[
        str,
        msgspec.Meta(
            description="The URL of a JSON Web Key Set, where an identity provider publishes its public keys. A token "
            "names its key there by `kid`. Up to 100 keys for signatures are used."
        ),
    ] = ""
    jwks_ca_file: Annotated[
        str,
        msgspec.Meta(
            description="A PEM file with the certificates that prove that endpoint. Empty: those of the system."
        ),
    ] = ""
    jwks_plain_http: Annotated[
        bool,
        msgspec.Meta(
            description="Allow an endpoint with http:// on a different machine. Whoever can change its answers on the "
            "way can sign any token."
        ),
    ] = False
    jwks_refresh_s: Annotated[
        float,
        msgspec.Meta(
            description="The pause between two reads of the key set in the background, 20 % jittered. A key that was "
            "taken out of the set is accepted for so long.",
            ge=1,
            le=86_400,
            extra={"unit": "s"},
        ),
    ] = 300.0
    jwks_interval_s: Annotated[
        float,
        msgspec.Meta(
            description="The least time between two reads of the key set: a token with an unknown `kid` causes a read "
            "at once, and further ones are refused until then. A failed read is repeated after it.",
            ge=0.1,
            le=3600,
            extra={"unit": "s"},
        ),
    ] = 10.0
    jwks_timeout_s: Annotated[
        float,
        msgspec.Meta(description="The deadline of an answer with the key set.", ge=0.1, le=60, extra={"unit": "s"}),
    ] = 5.0
    jwks_stale_s: Annotated[
        float,
        msgspec.Meta(
            description="While the endpoint is away, the last keys are used for this long.",
            ge=0,
            le=31_536_000,
            extra={"unit": "s"},
        ),
    ] = 86_400.0

    audience: Annotated[
        str, msgspec.Meta(description="A token must be for this audience: one of the values of its `aud`.")
    ] = ""
    audience_regex: Annotated[
        str, msgspec.Meta(description="One of the values of its `aud` must match this regular expression as a whole.")
    ] = ""
    issuer: Annotated[str, msgspec.Meta(description="A token must be of this issuer, its `iss`.")] = ""
    issuer_regex: Annotated[
        str, msgspec.Meta(description="Its `iss` must match this regular expression as a whole.")
    ] = ""
    user_id_claim: Annotated[
        str,
        msgspec.Meta(description="The claim with the user's id, which every token must have. Empty: `sub`."),
    ] = ""
    leeway_s: Annotated[
        float,
        msgspec.Meta(
            description="The issuer's clock may be ahead of ours by this time (`nbf`, `iat`). The end of a token "
            "(`exp`) has no leeway: its client gets a new one.",
            ge=0,
            le=3600,
            extra={"unit": "s"},
        ),
    ] = 30.0
    bytes_max: Annotated[
        int,
        msgspec.Meta(description="The longest token that is read.", ge=256, le=1024 * 1024, extra={"unit": "bytes"}),
    ] = TOKEN_BYTES_MAX

    def __post_init__(self) -> None:
        """Raise `ConfigError` with every setting that contradicts another, cannot be read, or lacks a key."""
        problems = url_problems("jwks_public_endpoint", self.jwks_public_endpoint, JWKS_PORTS, JWKS_FORM)
        for value, pattern in (("audience", "audience_regex"), ("issuer", "issuer_regex")):
            if getattr(self, value) and getattr(self, pattern):
                problems.append(
                    f"{value} and {pattern} are both given; a token is checked by one of them: leave one out"
                )
            problems += _pattern_problems(pattern, getattr(self, pattern))
        if self.user_id_claim and not _CLAIM.fullmatch(self.user_id_claim):
            problems.append(
                f"user_id_claim is {self.user_id_claim!r}; it must be 1 to 128 of letters, digits and _.:/- as user_id"
            )
        if (self.hmac_previous_secret_key or self.hmac_previous_secret_key_file) and not (
            self.hmac_secret_key or self.hmac_secret_key_file
        ):
            problems.append("hmac_previous_secret_key is given, and hmac_secret_key is not; give the new secret too")
        defaults = {field.name: field.default for field in msgspec.structs.fields(type(self))}
        if not self.has_key and any(getattr(self, name) != default for name, default in defaults.items()):
            problems.append(f"there are settings here, and no key that they are for; {self._without_key}")
        refuse(problems)

    _without_key: ClassVar[str] = (
        "no token could be checked: give a key (hmac_secret_key_file, rsa_public_key_file, ecdsa_public_key_file, "
        "eddsa_public_key_file or jwks_public_endpoint), or leave them out"
    )

    @property
    def has_key(self) -> bool:
        """True if a key, a file with one, or an endpoint is named."""
        return any(getattr(self, name) or getattr(self, f"{name}_file") for name in KEYS) or bool(
            self.jwks_public_endpoint
        )


KEYS = ("hmac_secret_key", "rsa_public_key", "ecdsa_public_key", "eddsa_public_key")
"""The settings of keys; each may also be in a file, which the setting with `_file` names."""

PREVIOUS = "hmac_previous_secret_key"
"""The setting of the secret from before a change; it may be in a file as well."""


class TokenConfig(TokenRulesConfig, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The settings of connection tokens, and of revoked tokens of both kinds."""

    revocations_max: Annotated[
        int,
        msgspec.Meta(
            description="The most revoked tokens that a member remembers, each until it would have ended. Then further "
            "ones are refused with error 106; a revocation by user counts once. All members should have the same.",
            ge=1,
            le=10_000_000,
        ),
    ] = 100_000
    revocation_keep_s: Annotated[
        float,
        msgspec.Meta(
            description="How long a token stays revoked if the call does not say when it ends: as long as your tokens "
            "live at most.",
            ge=60,
            le=31_536_000,
            extra={"unit": "s"},
        ),
    ] = 2_592_000.0


class SubscriptionTokenConfig(TokenRulesConfig, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The settings of subscription tokens. Without a key here they are checked by the settings of `[token]`."""

    _without_key: ClassVar[str] = (
        "subscription tokens would be checked by [token] alone: give a key here too, also if it is the same, or leave "
        "all of [subscription_token] out"
    )


def _pattern_problems(setting: str, pattern: str) -> list[str]:
    try:
        re.compile(pattern)
    except (re.error, RecursionError, OverflowError) as error:
        return [f"{setting} is {pattern!r}, which is no regular expression ({error}); correct it"]
    return []

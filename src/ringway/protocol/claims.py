"""Claims of tokens: what an issuer has signed about a client (PROTOCOL.md P-12.3). Pure.

The names are those of RFC 7519 and of Centrifugo. Two kinds of tokens have the same form, and one must not pass for the
other (RFC 8725, 3.12): a subscription token has the claim `channel`, and a connection token must not have it.

Times are Unix seconds, and may have fractions. `exp` is exact: a client whose token has ended gets a new one. `nbf` and
`iat` may be ahead by `leeway_s`, because the clock of the issuer is not ours.
"""

import math
from typing import Annotated, TypeVar

import msgspec

from ringway.errors import TokenExpired, TokenInvalid
from ringway.protocol.json_base64 import read_json_base64
from ringway.protocol.jwt import read_object
from ringway.protocol.rule import sentence_of_error

USER_CHARS_MAX = 256
"""The longest name of a user: with 4 bytes a character it still fits into an affinity key."""

ID_CHARS_MAX = 256
NAME_CHARS_MAX = 1024
"""The bound of `iss`, of one value of `aud`, and of a channel."""

AUDIENCES_MAX = 32
CHANNELS_MAX = 1000
"""The most channels in one token, in `channels` and `subs` each."""

TIME_MAX = 253_402_300_799
"""The end of the year 9999; a later time is a mistake, such as milliseconds."""

_NOTHING = msgspec.Raw(b"")

Time = Annotated[float, msgspec.Meta(ge=0, le=TIME_MAX)]
Name = Annotated[str, msgspec.Meta(max_length=NAME_CHARS_MAX)]
Channel = Annotated[str, msgspec.Meta(min_length=1, max_length=NAME_CHARS_MAX)]


class ClaimedFlag(msgspec.Struct, frozen=True):
    """One option that a token sets."""

    value: bool


class ClaimedOptions(msgspec.Struct, frozen=True, kw_only=True):
    """The options of a channel that a token overrides for its bearer; None: as the namespace says."""

    presence: ClaimedFlag | None = None
    join_leave: ClaimedFlag | None = None
    force_push_join_leave: ClaimedFlag | None = None
    force_positioning: ClaimedFlag | None = None
    force_recovery: ClaimedFlag | None = None


class ClaimedSubscription(msgspec.Struct, frozen=True, kw_only=True):
    """One value of `subs`: a subscription that the server makes for the bearer."""

    info: msgspec.Raw = _NOTHING
    b64info: str = ""
    data: msgspec.Raw = _NOTHING
    b64data: str = ""
    override: ClaimedOptions | None = None

    @property
    def channel_info(self) -> bytes:
        """JSON that others in the channel see about the bearer; empty: none."""
        return _either(self.info, self.b64info)

    @property
    def first_data(self) -> bytes:
        """JSON that the bearer gets with the subscription; empty: none."""
        return _either(self.data, self.b64data)


class TokenClaims(msgspec.Struct, frozen=True, kw_only=True):
    """What both kinds of tokens say."""

    sub: Annotated[str, msgspec.Meta(max_length=USER_CHARS_MAX)] = ""
    """The user; empty: an anonymous client."""
    exp: Time | None = None
    nbf: Time | None = None
    iat: Time | None = None
    jti: Annotated[str, msgspec.Meta(max_length=ID_CHARS_MAX)] = ""
    aud: Name | Annotated[tuple[Name, ...], msgspec.Meta(max_length=AUDIENCES_MAX)] = ()
    iss: Name = ""
    info: msgspec.Raw = _NOTHING
    b64info: str = ""
    expire_at: Time | None = None

    @property
    def shown_info(self) -> bytes:
        """JSON that others see about the bearer (`info`, or `b64info` decoded); empty: none."""
        return _either(self.info, self.b64info)

    @property
    def audience(self) -> tuple[str, ...]:
        """The audiences, one or several; empty: none."""
        return (self.aud,) if isinstance(self.aud, str) else self.aud

    @property
    def expires_at(self) -> float:
        """The end of what the token admits to: `expire_at` (0: never), or else `exp`; infinite without both."""
        if self.expire_at is not None:
            return self.expire_at or math.inf
        return math.inf if self.exp is None else self.exp

    @property
    def issued_at(self) -> float:
        """When it was issued; 0 if it does not say so."""
        return self.iat or 0.0


class ConnectionClaims(TokenClaims, frozen=True, kw_only=True):
    """The claims of a connection token."""

    channels: Annotated[tuple[Channel, ...], msgspec.Meta(max_length=CHANNELS_MAX)] = ()
    subs: Annotated[dict[Channel, ClaimedSubscription], msgspec.Meta(max_length=CHANNELS_MAX)] = {}
    meta: msgspec.Raw = _NOTHING

    @property
    def hidden_meta(self) -> bytes:
        """JSON that only hooks are told (`meta`); empty: none."""
        return _json(self.meta)


class SubscriptionClaims(TokenClaims, frozen=True, kw_only=True):
    """The claims of a subscription token, which admits its user to one channel."""

    channel: Channel
    client: Annotated[str, msgspec.Meta(max_length=ID_CHARS_MAX)] = ""
    """The id of the one client that it is for; empty: any client of the user."""
    override: ClaimedOptions | None = None


T = TypeVar("T", bound=TokenClaims)

_connection = msgspec.json.Decoder(ConnectionClaims)
_subscription = msgspec.json.Decoder(SubscriptionClaims)


def read_connection_claims(raw: bytes, user_id_claim: str = "") -> ConnectionClaims:
    """Return the claims of a connection token, whose user is in `user_id_claim` if that is not empty, or else in `sub`.

    Raise `TokenInvalid` if a claim has a wrong type or size, or if they are the claims of a subscription token.
    """
    claims = read_object(raw, "claims")
    if "channel" in claims:
        raise TokenInvalid("it has the claim channel: it is a subscription token, and admits nobody to a connection")
    found = _decoded(_connection, raw)
    for subscription in found.subs.values():
        _check_json(subscription.b64info, "b64info in subs")
        _check_json(subscription.b64data, "b64data in subs")
    user = _user(found.sub, claims, user_id_claim)
    return found if user == found.sub else msgspec.structs.replace(found, sub=user)


def read_subscription_claims(raw: bytes, user_id_claim: str = "") -> SubscriptionClaims:
    """Return the claims of a subscription token; otherwise as `read_connection_claims`."""
    claims = read_object(raw, "claims")
    if "channel" not in claims:
        raise TokenInvalid("it has no claim channel: it is no subscription token")
    found = _decoded(_subscription, raw)
    user = _user(found.sub, claims, user_id_claim)
    return found if user == found.sub else msgspec.structs.replace(found, sub=user)


def check_times(claims: TokenClaims, now: float, leeway_s: float) -> None:
    """Raise `TokenExpired` if the token has ended at `now`, `TokenInvalid` if it begins later than in `leeway_s`."""
    if claims.exp is not None and now >= claims.exp:
        raise TokenExpired(f"the token ended {now - claims.exp:.0f} s ago (exp)")
    if now >= claims.expires_at:
        raise TokenExpired(f"what it admits to ended {now - claims.expires_at:.0f} s ago (expire_at)")
    for name, begins in (("nbf", claims.nbf), ("iat", claims.iat)):
        if begins is not None and begins > now + leeway_s:
            raise TokenInvalid(
                f"{name} is {begins - now:.0f} s ahead of this clock; {leeway_s:g} s are allowed (leeway_s)"
            )


def _decoded(decoder: msgspec.json.Decoder[T], raw: bytes) -> T:
    try:
        found = decoder.decode(raw)
    except msgspec.ValidationError as error:
        raise TokenInvalid(f"a claim is wrong: {sentence_of_error(error)}") from None
    except (ValueError, RecursionError):
        raise TokenInvalid("its claims cannot be read as JSON") from None
    _check_json(found.b64info, "b64info")
    return found


def _user(sub: str, claims: dict[str, object], user_id_claim: str) -> str:
    """Return the user; raise `TokenInvalid` if the claim is missing or wrong."""
    user: object = claims.get(user_id_claim) if user_id_claim else sub
    if not isinstance(user, str) or len(user) > USER_CHARS_MAX:
        raise TokenInvalid(
            f"its claim {user_id_claim} (user_id_claim) must be a text of up to {USER_CHARS_MAX} characters"
        )
    if any(char < " " or char == "\x7f" for char in user):
        raise TokenInvalid("the user has a control character")
    return user


def _check_json(text: str, name: str) -> None:
    """Raise `TokenInvalid` if `text`, where there is any, is not JSON in base64: clients get it as JSON."""
    if text:
        try:
            read_json_base64(text)
        except ValueError as error:
            raise TokenInvalid(f"{name} {error}") from None


def _either(raw: msgspec.Raw, encoded: str) -> bytes:
    return read_json_base64(encoded) if encoded else _json(raw)


def _json(raw: msgspec.Raw) -> bytes:
    """Return the text of a claim; empty if it is absent or null."""
    text = bytes(raw)
    return b"" if text == b"null" else text

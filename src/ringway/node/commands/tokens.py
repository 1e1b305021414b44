"""Tokens of clients, in the terms of a node: who a client is, and what its subscription is given.

A key that a token names may have to be fetched first (`KeyUnknown`). Then the command waits for that, and the token is
checked again, once (`with_new_keys`). The log says why a token was refused; the client is not told.
"""

import asyncio
from collections.abc import Callable
from math import inf
from typing import TypeVar

import msgspec

from ringway.auth.verifier import TokenVerifier
from ringway.core.credentials import Credentials, credentials_problem
from ringway.core.revocations import Revocations
from ringway.core.subscription_rights import SubscriptionRights, rights_problem, with_options
from ringway.errors import KeyUnknown, ProtocolError, TokenExpired, TokenInvalid
from ringway.logger import get_logger
from ringway.protocol.claims import ConnectionClaims, SubscriptionClaims, TokenClaims
from ringway.protocol.close import INVALID_TOKEN
from ringway.protocol.errorcode import EXPIRED, PERMISSION_DENIED, TOKEN_EXPIRED, command_error
from ringway.protocol.json_line import json_line
from ringway.types import Channel

KEYS_S = 5.0
"""The deadline of a fetch of keys, for the client that waits for it: below the connect deadline."""

AHEAD_MAX = 256
"""Tokens that are checked ahead and wait for their commands; beyond it the oldest are checked twice."""

_log = get_logger()

T = TypeVar("T", bound=TokenClaims)


class TokenChecks:
    """Checks the tokens of a node's clients. `verifier` is None without a key; `wall` is Unix time, in seconds."""

    def __init__(
        self, verifier: TokenVerifier | None, wall: Callable[[], float], revocations: Revocations | None = None
    ) -> None:
        self._verifier = verifier
        self.revocations = revocations if revocations is not None else Revocations()
        """The tokens that are refused, though they are good."""
        self._checked: dict[str, SubscriptionClaims] = {}
        self.wall = wall

    @property
    def has_key(self) -> bool:
        """True if tokens can be checked."""
        return self._verifier is not None

    def check_connection(self, token: str) -> ConnectionClaims:
        """Return the claims of a connection token.

        Raise `KeyUnknown` if its key may be fetched, `ProtocolError` 3500 if it is not good, `CommandError` 109 if its
        time is over.
        """
        return self._check(lambda verifier: verifier.verify_connection(token, self.wall()))

    def check_refresh(self, token: str) -> ConnectionClaims:
        """As `check_connection`, of the token by which a connection goes on: `CommandError` 110 if its time is over."""
        return self._check(lambda verifier: verifier.verify_connection(token, self.wall()), expired=EXPIRED)

    def check_subscription(self, token: str) -> SubscriptionClaims:
        """As `check_connection`, of a subscription token; `CommandError` 103 in place of 3500."""
        claims = self._checked.pop(token, None)
        try:
            if claims is not None and claims.expires_at > self.wall():
                return self._unless_revoked(claims)
            return self._check(lambda verifier: verifier.verify_subscription(token, self.wall()))
        except ProtocolError:
            raise command_error(PERMISSION_DENIED, "the subscription token is not good") from None

    def check_ahead(self, token: str) -> SubscriptionClaims:
        """As `check_subscription`, whose result is known then: the engine is asked before the command's turn."""
        claims = self.check_subscription(token)
        if len(self._checked) >= AHEAD_MAX:
            del self._checked[next(iter(self._checked))]
        self._checked[token] = claims
        return claims

    def check_sub_refresh(self, token: str) -> SubscriptionClaims:
        """As `check_connection`, of the token by which a subscription goes on; `CommandError` 110 as above."""
        return self._check(lambda verifier: verifier.verify_subscription(token, self.wall()), expired=EXPIRED)

    async def with_new_keys(self, check: Callable[[str], T], token: str) -> T:
        """Fetch keys, and return the result of `check`, which has raised `KeyUnknown`; raise what else it raises."""
        assert self._verifier is not None
        try:
            async with asyncio.timeout(KEYS_S):
                await self._verifier.refresh_keys()
        except TimeoutError:
            _log.warning("the keys of tokens did not come in time", within_s=KEYS_S)
        try:
            return check(token)
        except KeyUnknown as error:
            raise _refused(error) from None

    def _check(self, verify: Callable[[TokenVerifier], T], expired: int = TOKEN_EXPIRED) -> T:
        if self._verifier is None:
            raise ProtocolError(INVALID_TOKEN, "a token was sent, and this node has no key to check it")
        try:
            return self._unless_revoked(verify(self._verifier))
        except TokenExpired as error:
            raise command_error(expired) from error
        except KeyUnknown:
            raise
        except TokenInvalid as error:
            raise _refused(error) from None

    def is_void(self, user: str, channel: str, rights: SubscriptionRights) -> bool:
        """True if the token that gave `user` the `rights` in `channel` is revoked; False if none gave them."""
        if not rights.issued_at:
            return False
        return self.revocations.revokes(rights.token_id, user, rights.issued_at, channel)

    def check_good(self, credentials: Credentials) -> None:
        """Raise `ProtocolError` 3500 if the token of `credentials` is revoked."""
        if self.revocations.revokes_bearer(credentials):
            raise _refused(TokenInvalid("it is revoked"))

    def _unless_revoked(self, claims: T) -> T:
        """Return `claims`; raise `ProtocolError` 3500 if their token is revoked."""
        channel = claims.channel if isinstance(claims, SubscriptionClaims) else ""
        if self.revocations.revokes(claims.jti, claims.sub, claims.issued_at, channel):
            raise _refused(TokenInvalid("it is revoked"))
        return claims


def credentials_of(claims: ConnectionClaims, now: float, *, expires: bool) -> Credentials:
    """Return the credentials by the claims of a connection token; raise `ProtocolError` 3500 if a bound is exceeded.

    Without `expires` they have no end. `now` is Unix time.
    """
    credentials = Credentials(
        user=claims.sub,
        info=json_line(claims.shown_info),
        meta=json_line(claims.hidden_meta),
        expires_at=claims.expires_at if expires else inf,
        issued_at=claims.issued_at,
        jti=claims.jti,
        connected_at=now,
    )
    problem = credentials_problem(credentials)
    if problem:
        raise _refused(TokenInvalid(problem))
    return credentials


def refreshed(credentials: Credentials, claims: ConnectionClaims, *, expires: bool) -> Credentials:
    """Return the credentials of a connected client after a refresh by `claims`. Raise `ProtocolError` 3500.

    A token of another user is refused.
    """
    if claims.sub != credentials.user:
        raise _refused(
            TokenInvalid(f"it is for the user {claims.sub!r}, and the connection is of {credentials.user!r}")
        )
    fresh = credentials_of(claims, credentials.connected_at, expires=expires)
    return msgspec.structs.replace(fresh, meta=fresh.meta or credentials.meta)


def misuse_of(claims: SubscriptionClaims, user: str, client: str, channel: str) -> str:
    """Return for whom or what a token is that `client` of `user` sent for `channel`; '' if it is for them."""
    for name, claimed, is_so in (
        ("channel", claims.channel, claims.channel == channel),
        ("user", claims.sub, claims.sub == user),
        ("client", claims.client, claims.client in ("", client)),
    ):
        if not is_so:
            return f"it is for the {name} {claimed!r}, and not for the one that sent it"
    return ""


def rights_of(
    claims: SubscriptionClaims, credentials: Credentials, client: str, channel: Channel, now: float, *, expires: bool
) -> SubscriptionRights:
    """Return the rights by the claims of a subscription token, sent by `client` for `channel`. `now` is Unix time.

    Raise `ProtocolError` 3500 if it is for another channel, user or client, or if a bound is exceeded.
    """
    misuse = misuse_of(claims, credentials.user, client, channel)
    if misuse:
        raise _refused(TokenInvalid(misuse))
    rights = SubscriptionRights(
        json_line(claims.shown_info),
        claims.expires_at if expires else inf,
        token_id=claims.jti,
        issued_at=claims.issued_at or now,
    )
    rights = with_options(rights, claims.override)
    problem = rights_problem(rights)
    if problem:
        raise _refused(TokenInvalid(problem))
    return rights


def _refused(error: TokenInvalid) -> ProtocolError:
    _log.info("a token was refused", why=str(error))
    return ProtocolError(INVALID_TOKEN, "invalid token")

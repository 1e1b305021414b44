"""Verifier of tokens: from the text that a client shows to claims that can be believed, or an error.

    try:
        claims = verifier.verify_connection(token, now)
    except KeyUnknown:                    # of a key set: never raised twice within `jwks_interval_s`
        await verifier.refresh_keys()
        claims = verifier.verify_connection(token, now)

The order is: size and form, key and signature, claims, times, issuer and audience. Nothing that a token says is used
before its signature is checked, except the name of its key and its algorithm, which must be one of that key's own.
"""

import asyncio
import time
from collections.abc import Callable
from random import Random

from ringway.auth.config import SubscriptionTokenConfig, TokenConfig
from ringway.auth.jwks import JwksEndpoint
from ringway.auth.rules import TokenRules
from ringway.protocol.claims import (
    ConnectionClaims,
    SubscriptionClaims,
    read_connection_claims,
    read_subscription_claims,
)

SECTION, SUBSCRIPTION_SECTION = "token", "subscription_token"


class TokenVerifier:
    """Verifies tokens by the rules for connections and for subscriptions, which may be the same.

    `now` is wall-clock time in Unix seconds. The errors are `TokenExpired`, `TokenInvalid` and `KeyUnknown`.
    """

    def __init__(self, connection: TokenRules, subscription: TokenRules) -> None:
        self._connection = connection
        self._subscription = subscription
        self._all = (connection,) if connection is subscription else (connection, subscription)

    def verify_connection(self, token: str, now: float) -> ConnectionClaims:
        """Return the claims of a connection token; raise `TokenError`."""
        rules = self._connection
        claims = read_connection_claims(rules.prove(token, now), rules.user_id_claim)
        rules.check(claims, now)
        return claims

    def verify_subscription(self, token: str, now: float) -> SubscriptionClaims:
        """Return the claims of a subscription token; raise `TokenError`.

        The caller checks that user, channel and client are those of the connection.
        """
        rules = self._subscription
        claims = read_subscription_claims(rules.prove(token, now), rules.user_id_claim)
        rules.check(claims, now)
        return claims

    async def refresh_keys(self) -> None:
        """Read the key sets of the endpoints, where that is allowed now; return when that is done, or has failed."""
        await asyncio.gather(*(jwks.fetch() for jwks in self._endpoints))

    @property
    def files(self) -> list[str]:
        """The files of keys."""
        return [file for rules in self._all for file in rules.files]

    def reread_keys(self) -> bool:
        """Read the files of keys again; return True if a key has changed.

        Raise `ConfigError` if a key cannot be used; the keys of its section stay as they are.
        """
        changed = [rules.reread_keys() for rules in self._all]
        return any(changed)

    async def run(self) -> None:
        """Keep the key sets of the endpoints fresh, until cancelled. Without endpoints it only waits."""
        try:
            async with asyncio.TaskGroup() as group:
                for jwks in self._endpoints:
                    group.create_task(jwks.run())
                await asyncio.Event().wait()
        finally:
            for jwks in self._endpoints:
                await jwks.close()

    @property
    def _endpoints(self) -> list[JwksEndpoint]:
        return [rules.jwks for rules in self._all if rules.jwks is not None]


def make_verifier(
    token: TokenConfig,
    subscription_token: SubscriptionTokenConfig,
    rng: Random,
    clock: Callable[[], float] = time.monotonic,
) -> TokenVerifier | None:
    """Return the verifier by the settings `[token]` and `[subscription_token]`; None if neither has a key.

    Subscription tokens are checked by `[token]` unless their own section has a key. Raise `ConfigError` with every key
    that cannot be used. Loads PyJWT, and nothing if there is no key.
    """
    if not token.has_key and not subscription_token.has_key:
        return None
    connection = TokenRules(SECTION, token, rng, clock)
    if not subscription_token.has_key:
        return TokenVerifier(connection, connection)
    return TokenVerifier(connection, TokenRules(SUBSCRIPTION_SECTION, subscription_token, rng, clock))

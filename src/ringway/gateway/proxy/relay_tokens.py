"""Tokens of what is carried to servers of any kind: a relay, or a plain request under way, is ended when its token is
revoked, and, where its route says so, when its token ends.

Relays to channel nodes are not among them: nodes end connections themselves, and know the later tokens of a client.
"""

from collections.abc import Callable, Hashable
from math import inf
from typing import NamedTuple, Protocol

from ringway.core.expiries import Expiries
from ringway.core.revocations import Revocations
from ringway.protocol.claims import ConnectionClaims
from ringway.protocol.close import CONNECTION_EXPIRED, INVALID_TOKEN
from ringway.protocol.revocation import Revocation


class TokenBearer(Hashable, Protocol):
    """A relay, or a plain request under way."""

    def cut(self, code: int, reason: str, cause: str) -> None:
        """End it; a WebSocket with the close code `code`."""


class _Bearer(NamedTuple):
    """What is known of a token: its id, its user, and when it was issued, or shown if it does not say so."""

    token_id: str
    user: str
    issued_at: float


class RelayTokens:
    """The tokens of the relays of a gateway. `wall` is Unix time, in seconds."""

    def __init__(self, revocations: Revocations, wall: Callable[[], float]) -> None:
        self._revocations = revocations
        self._wall = wall
        self._bearers: dict[TokenBearer, _Bearer] = {}
        self._ends: Expiries[TokenBearer] = Expiries()
        self._is_new = False

    def __len__(self) -> int:
        return len(self._bearers)

    def watch(self, relay: TokenBearer, claims: ConnectionClaims, *, ends: bool) -> None:
        """Close `relay`, which was opened by a token with `claims`, when that is revoked; if it `ends`, also then."""
        bearer = self._bearers[relay] = _Bearer(claims.jti, claims.sub, claims.issued_at or self._wall())
        if self._revocations.revokes(*bearer):  # while the server was asked
            self._ends.put(relay, 0.0)
        elif ends and claims.expires_at < inf:
            self._ends.put(relay, claims.expires_at)

    def forget(self, relay: TokenBearer) -> None:
        """Forget a relay that is over."""
        if self._bearers.pop(relay, None) is not None:
            self._ends.drop(relay)

    def on_learned(self, fresh: list[Revocation]) -> None:
        """Close the relays of these tokens at the next tick (`member.revocation_exchange.OnLearned`)."""
        self._is_new = True

    def tick(self) -> None:
        """Close the relays whose tokens have ended or were revoked; call it several times a second."""
        found = self._ends.due(self._wall())
        if self._is_new:
            self._is_new = False
            found += [relay for relay, bearer in self._bearers.items() if self._revocations.revokes(*bearer)]
        for relay in found:
            if self._revocations.revokes(*self._bearers[relay]):
                relay.cut(INVALID_TOKEN, "token revoked", "token")
            else:
                relay.cut(CONNECTION_EXPIRED, "connection expired", "token")

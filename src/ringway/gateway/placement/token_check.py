"""Check of tokens at the gateway, on routes with `auth=jwt`: before any node is chosen or asked (PROTOCOL.md P-3.14).

A request has one token: in `Authorization: Bearer`, or else in the query parameter, or else in the cookie that the
settings name. A cookie is sent by browsers for pages of others too, so one is believed only if the page is of the
gateway's own origin, or of `allowed_origins`.

Clients are told that a token is missing, has expired, or is not accepted. The reason is for the log.
"""

import asyncio
import time
from collections.abc import Callable
from typing import NamedTuple
from urllib.parse import quote, unquote_plus

from ringway.auth.verifier import TokenVerifier
from ringway.core.placement.key_source import cookie, query_value
from ringway.core.refusals import Refusals
from ringway.core.revocations import Revocations
from ringway.errors import KeyUnknown, TokenError, TokenExpired, TokenInvalid, UpgradeError
from ringway.gateway.config.gateway import GatewayConfig
from ringway.gateway.placement.affinity import Affinity
from ringway.gateway.stats import GatewayStats
from ringway.logger import get_logger
from ringway.protocol.claims import ConnectionClaims
from ringway.protocol.forwarded import read_client
from ringway.protocol.head import RequestHead
from ringway.protocol.origin import read_origins
from ringway.protocol.proxy_header import peer_of
from ringway.protocol.response import retry_after
from ringway.protocol.upgrade import value_of
from ringway.tasks import Tasks

KEYS_PAUSE_S = 1.0
"""The pause of a client that asks where to connect while the key of its token is being fetched."""

_USER_CHARACTERS = "!#$&'()*+,/:;=?@[]|"

_log = get_logger()


class FoundToken(NamedTuple):
    """The token of a request, and the parameter of its query that holds it; empty if it is not in the query."""

    text: str
    in_query: str


class TokenCheck:
    """The check of one gateway. `verifier` is None if no route asks for tokens. `wall` is Unix time."""

    def __init__(
        self,
        config: GatewayConfig,
        affinity: Affinity,
        verifier: TokenVerifier | None,
        stats: GatewayStats,
        clock: Callable[[], float] = time.monotonic,
        wall: Callable[[], float] = time.time,
        revocations: Revocations | None = None,
    ) -> None:
        self._config = config
        self._affinity = affinity
        self._verifier = verifier
        self._stats = stats
        self._clock = clock
        self._wall = wall
        self._revocations = revocations if revocations is not None else Revocations()
        self._origins = read_origins(config.allowed_origins)
        self._refusals = Refusals()
        self._fetches = Tasks()

    async def admit(self, client: asyncio.BaseTransport, head: RequestHead) -> tuple[RequestHead, ConnectionClaims]:
        """Return the request as it is passed on, and the claims of its token; raise `UpgradeError` 401 or 403.

        Keys of a key set are fetched if the token names an unknown one.
        """
        token = self.find(client, head).text
        try:
            claims = self._verify(token)
        except KeyUnknown:
            assert self._verifier is not None
            await self._verifier.refresh_keys()
            try:
                claims = self._verify(token)
            except KeyUnknown as error:
                raise self._refuse(error) from None
        return head if self._config.auth_pass_token else self.without_token(head), claims

    def admit_now(self, client: asyncio.BaseTransport, head: RequestHead) -> tuple[str, str]:
        """Return the user of the token of a request, and the part of its query that holds the token.

        Raise `UpgradeError` 401 or 403; 503 if the key of the token must be fetched first, which is begun.
        """
        found = self.find(client, head)
        try:
            return self._verify(found.text).sub, found.in_query
        except KeyUnknown:
            if not self._fetches:
                assert self._verifier is not None
                self._fetches.spawn(self._verifier.refresh_keys(), name="keys of tokens for a gateway")
            raise UpgradeError(
                503,
                "the key of this token is being fetched; come again",
                (("Retry-After", retry_after(KEYS_PAUSE_S)),),
                KEYS_PAUSE_S,
            ) from None

    async def stop(self) -> None:
        """Wait for no more keys."""
        await self._fetches.aclose()

    def find(self, client: asyncio.BaseTransport, head: RequestHead) -> FoundToken:
        """Return the token of a request; raise `UpgradeError` 401 if it has none, 403 if a foreign page sent it."""
        config = self._config
        bearer = _bearer(head)
        if bearer is not None:
            return FoundToken(bearer, "")
        if config.auth_query and (text := query_value(head.query, config.auth_query).decode("latin-1")):
            return FoundToken(text, f"{quote(config.auth_query)}={quote(text.encode('latin-1'), safe='')}")
        if config.auth_cookie and (raw := cookie(head.headers, config.auth_cookie.encode())):
            self._check_page(client, head)
            return FoundToken(raw.decode("latin-1"), "")
        places = ["as Authorization: Bearer TOKEN"]
        places += [f"as the query parameter {config.auth_query}"] if config.auth_query else []
        places += [f"as the cookie {config.auth_cookie}"] if config.auth_cookie else []
        self._count("missing", "no token")
        raise _unauthorized(f"a token is needed here; send it {' or '.join(places)}")

    def without_token(self, head: RequestHead) -> RequestHead:
        """Return `head` without a token in any of the places where one could be."""
        config = self._config
        headers = [(name, value) for name, value in head.headers if not (name == "authorization" and _is_bearer(value))]
        if config.auth_cookie:
            headers = _without_cookie(headers, config.auth_cookie)
        query = head.query
        if config.auth_query and query:
            query = "&".join(item for item in query.split("&") if _name_of(item) != config.auth_query)
        return RequestHead(head.method, head.path, query, head.version, headers, head.keep_alive, head.source)

    def _check_page(self, client: asyncio.BaseTransport, head: RequestHead) -> None:
        origin = value_of(head.headers, "origin")
        peer = peer_of(head.source, client.get_extra_info("peername"))
        who = read_client(peer.ip, head.headers, self._affinity.trusted, peer.scheme)
        if not self._origins.allows(origin, who.scheme, who.host):
            self._count("page", "a cookie from a foreign page")
            raise UpgradeError(
                403,
                "a token in a cookie is taken from pages of this server and of allowed_origins; add this page there",
            )

    def _verify(self, token: str) -> ConnectionClaims:
        """Return the claims of `token`; raise `KeyUnknown`, or `UpgradeError` 401."""
        assert self._verifier is not None
        try:
            claims = self._verifier.verify_connection(token, self._wall())
        except KeyUnknown:
            raise
        except TokenError as error:
            raise self._refuse(error) from None
        if not claims.sub:
            raise self._refuse(TokenInvalid("it names no user, and the route asks for one"))
        if self._revocations.revokes(claims.jti, claims.sub, claims.issued_at):
            raise self._refuse(TokenInvalid("it is revoked"))
        return claims

    def _refuse(self, error: TokenError) -> UpgradeError:
        if isinstance(error, TokenExpired):
            self._count("expired", str(error))
            return _unauthorized("the token has expired; get a new one", "invalid_token")
        self._count("invalid", str(error))
        return _unauthorized("the token is not accepted; get a new one", "invalid_token")

    def _count(self, cause: str, why: str) -> None:
        """Count a refusal. The log has the last reason, at most once a second: forged tokens are cheap to send."""
        self._stats.token_refused[cause] += 1
        self._refusals.add(why, cause)
        if due := self._refusals.due(self._clock()):
            _log.info("clients without a good token were refused", last=due[0], **due[1])


def _unauthorized(message: str, error: str = "") -> UpgradeError:
    """Return the refusal by RFC 6750, section 3."""
    challenge = f'Bearer realm="ringway", error="{error}"' if error else 'Bearer realm="ringway"'
    return UpgradeError(401, message, (("WWW-Authenticate", challenge),))


def _bearer(head: RequestHead) -> str | None:
    """Return the token in the header; None without one. A second header of this kind cannot be meant."""
    values = [value for name, value in head.headers if name == "authorization" and _is_bearer(value)]
    if len(values) > 1:
        raise UpgradeError(400, "the request has two tokens in Authorization; send one")
    return values[0].strip().partition(" ")[2].strip() if values else None


def _is_bearer(value: str) -> bool:
    return value.strip().partition(" ")[0].lower() == "bearer"


def _name_of(item: str) -> str:
    name = item.partition("=")[0]
    return unquote_plus(name) if "%" in name or "+" in name else name


def _without_cookie(headers: list[tuple[str, str]], wanted: str) -> list[tuple[str, str]]:
    kept = []
    for name, value in headers:
        if name == "cookie":
            others = [each for each in value.split(";") if each.partition("=")[0].strip() != wanted]
            if not others:
                continue
            value = ";".join(others).strip()
        kept.append((name, value))
    return kept


def show_user(user: str) -> str:
    """Return `user` as a header has it: UTF-8, percent-encoded except for letters, digits and common signs."""
    return quote(user, safe=_USER_CHARACTERS)

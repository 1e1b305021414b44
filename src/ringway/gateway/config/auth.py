"""Settings of tokens at a gateway: where a request has its token, and what the server behind is told."""

import re
from typing import Annotated

import msgspec

from ringway.gateway.config.http import GatewayHttpConfig
from ringway.protocol.forwarded import FORWARDED

_NAME = re.compile(r"[A-Za-z0-9_.~$\[\]-]{1,64}")
_HEADER = re.compile(r"[A-Za-z0-9-]{1,64}")
_OF_THE_GATEWAY = ("key", "node", "ticket", "moves", "resume", "pin", "path")
_OF_HTTP = FORWARDED | {"authorization", "connection", "cookie", "host", "origin", "upgrade"}


class GatewayAuthConfig(GatewayHttpConfig, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The settings for routes with `auth=jwt`; a part of `GatewayConfig`. The keys are in `[token]`."""

    auth_query: Annotated[
        str,
        msgspec.Meta(
            description="On routes with auth=jwt: the query parameter with the token, if the request has no header "
            "`Authorization: Bearer`. Pages of browsers can set no header for a WebSocket. Empty: none."
        ),
    ] = "token"
    auth_cookie: Annotated[
        str,
        msgspec.Meta(
            description="On routes with auth=jwt: the cookie with the token, if neither header nor query has one. It "
            "is believed from pages of the gateway's own origin, and of `allowed_origins`. Empty: none."
        ),
    ] = ""
    auth_user_header: Annotated[
        str,
        msgspec.Meta(
            description="The header in which the server behind a route with auth=jwt is told the user of the token, "
            "percent-encoded. No client can send it, on any route."
        ),
    ] = "Ringway-User"
    auth_pass_token: Annotated[
        bool,
        msgspec.Meta(
            description="Pass the token on to the server behind a route with auth=jwt. Otherwise it is taken out of "
            "header, query and cookie."
        ),
    ] = False

    def auth_problems(self) -> list[str]:
        """Return the problems of these settings, each with value, rule and remedy."""
        problems = []
        for name, text in (("auth_query", self.auth_query), ("auth_cookie", self.auth_cookie)):
            if text and not _NAME.fullmatch(text):
                problems.append(f"{name} is {text!r}; it must be 1 to 64 of letters, digits and _.~$[]-, as token")
        if self.auth_query in _OF_THE_GATEWAY:
            problems.append(
                f"auth_query is {self.auth_query!r}, which the gateway reads itself; give another, as token"
            )
        header = self.auth_user_header
        if not _HEADER.fullmatch(header) or header.lower() in _OF_HTTP or header.lower().startswith("sec-"):
            problems.append(
                f"auth_user_header is {header!r}; it must be 1 to 64 letters, digits and -, and no header with a "
                "meaning of its own, as Ringway-User"
            )
        return problems

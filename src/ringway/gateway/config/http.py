"""Settings of plain HTTP through a gateway, on routes with `http=true`."""

import re
from typing import Annotated

import msgspec

from ringway.gateway.config.routes import GatewayRoutesConfig

_PREFIX = re.compile(r"(?:/[A-Za-z0-9_.~-]{1,64}){0,8}")


class GatewayHttpConfig(GatewayRoutesConfig, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The settings for routes with `http=true`; a part of `GatewayConfig`."""

    http_requests_max: Annotated[
        int,
        msgspec.Meta(
            description="Plain requests that are carried to backends at one time, on routes with http=true (two "
            "descriptors each); further ones get 503. Fewer if open files are few. Open streams (server-sent events) "
            "and long polls count.",
            ge=1,
            le=1_000_000,
        ),
    ] = 4096
    http_answer_deadline_s: Annotated[
        float,
        msgspec.Meta(
            description="A backend must begin its answer to a plain request in this time after the whole request was "
            "sent; otherwise the client gets 504. Above the longest long poll.",
            gt=0,
            le=3600,
            extra={"unit": "s"},
        ),
    ] = 60.0
    http_idle_s: Annotated[
        float,
        msgspec.Meta(
            description="A request or an answer of which no byte comes in this time is ended. Above the interval in "
            "which your server-sent events have something to say.",
            gt=0,
            le=86_400,
            extra={"unit": "s"},
        ),
    ] = 120.0
    http_spare_max: Annotated[
        int,
        msgspec.Meta(
            description="Idle connections to one backend that are kept for its next requests. 0: each request has a "
            "connection of its own.",
            ge=0,
            le=10_000,
        ),
    ] = 64
    http_spare_s: Annotated[
        float,
        msgspec.Meta(
            description="How long such a connection is kept. Below the time after which your servers close it (5 s "
            "with uvicorn and Node.js), so that no request is sent into a connection that is being closed.",
            gt=0,
            le=3600,
            extra={"unit": "s"},
        ),
    ] = 4.0
    http_sessions_max: Annotated[
        int,
        msgspec.Meta(
            description="Sessions that a gateway knows, on routes with sticky=socketio, sockjs, signalr or mcp; beyond "
            "that, the ones that idled longest are forgotten. Some 500 bytes each.",
            ge=1,
            le=100_000_000,
        ),
    ] = 200_000
    own_paths_prefix: Annotated[
        str,
        msgspec.Meta(
            description="The path before the gateway's own `/gateway`, `/healthz` and `/readyz`, so that they hide no "
            "path of a backend: /ringway makes them /ringway/gateway and so on. Checks of load balancers and clients "
            "that ask where to connect must name it, too."
        ),
    ] = ""

    def http_problems(self) -> list[str]:
        """Return the problems of these settings, each with value, rule and remedy."""
        if _PREFIX.fullmatch(self.own_paths_prefix):
            return []
        return [
            f"own_paths_prefix is {self.own_paths_prefix!r}; it must be a path of letters, digits and _.~- that begins "
            "with / and does not end with it, as /ringway"
        ]

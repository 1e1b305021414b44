"""Settings of a gateway's routes: the group of members for each request."""

from typing import Annotated

import msgspec

from ringway.core.route_spec import short_route
from ringway.gateway.config.moves import GatewayMovesConfig


class GatewayRoutesConfig(GatewayMovesConfig, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The routes; a part of `GatewayConfig`."""

    routes: Annotated[
        tuple[str, ...],
        msgspec.Meta(
            description="A route from a path and a host to a group of backends: 'path=/chat host=*.example.com "
            "group=chat policy=ring on-move=close', or a table [[route]] in TOML. The most specific one is chosen: the "
            "host first, then the longest path. Further options: close-code, restart-codes, check, check-host, auth, "
            "http, sticky. Without routes, all clients go to one group. In an environment variable there is a "
            "semicolon between two routes.",
            extra={"flag": "route", "table": short_route, "tables": "route", "between": ";"},
        ),
    ] = ()

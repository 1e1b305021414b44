"""Settings of a gateway as the holder of connections at backends; the same as those of a node."""

from typing import Annotated, Literal

import msgspec

from ringway.gateway.config.edge import GatewayEdgeConfig


class GatewayMovesConfig(GatewayEdgeConfig, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The settings by which connections at backends are chosen for moves; a part of `GatewayConfig`."""

    move_cool_down_s: Annotated[
        float,
        msgspec.Meta(
            description="Backends: a connection that was moved is not moved again for this long, unless its backend "
            "drains.",
            ge=0,
            le=86400,
            extra={"unit": "s"},
        ),
    ] = 1800.0
    move_first: Annotated[
        Literal["youngest", "oldest"],
        msgspec.Meta(
            description="Backends: which connections are moved first, of those that are equally cheap to disturb. The "
            "oldest have shown that they stay, and their clients have the most state."
        ),
    ] = "youngest"
    idle_after_s: Annotated[
        float,
        msgspec.Meta(
            description="Backends: a connection on which nothing was carried for this long is idle, and is moved "
            "before busy ones.",
            ge=0,
            le=86400,
            extra={"unit": "s"},
        ),
    ] = 10.0

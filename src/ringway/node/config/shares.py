"""Settings that bound what all connections of a user, or of an address, do at a node together."""

from typing import Annotated

import msgspec

from ringway.node.config.edge import NodeEdgeConfig

_RATE = {"unit": "1/s"}
_BYTES_RATE = {"unit": "bytes/s"}


class NodeSharesConfig(NodeEdgeConfig, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The settings of the limits of users and addresses; a part of `NodeConfig`. 0 is no limit, but of one connection.

    Anonymous clients are of no user. An address is an IPv4 address or an IPv6 /64.
    """

    user_subscriptions_max: Annotated[
        int,
        msgspec.Meta(
            description="Subscriptions that the connections of a user at this node may have together; then error 106. "
            "0: no limit.",
            ge=0,
            le=10_000_000,
        ),
    ] = 0
    user_commands_per_s: Annotated[
        float,
        msgspec.Meta(
            description="Commands that the connections of a user at this node may send together, a second on average. "
            "Further ones are refused as with `commands_per_s`. 0: no limit.",
            ge=0,
            le=1_000_000,
            extra=_RATE,
        ),
    ] = 0.0
    user_commands_burst: Annotated[
        int,
        msgspec.Meta(description="Commands that they may send at once. 0: those of two seconds.", ge=0, le=1_000_000),
    ] = 0
    user_bytes_per_s: Annotated[
        float,
        msgspec.Meta(
            description="Bytes of messages that the connections of a user at this node may send together, a second on "
            "average; above it the node reads more slowly from those that send. Messages up to 1 KiB do not count, as "
            "with `bytes_per_s`. 0: no limit.",
            ge=0,
            le=1e12,
            extra=_BYTES_RATE,
        ),
    ] = 0.0
    user_bytes_burst: Annotated[
        int,
        msgspec.Meta(
            description="Bytes that they may send at once; at least message_bytes_max. 0: those of two seconds.",
            ge=0,
            le=1024 * 1024 * 1024,
            extra={"unit": "bytes"},
        ),
    ] = 0
    address_subscriptions_max: Annotated[
        int,
        msgspec.Meta(
            description="Subscriptions that the connections of an address at this node may have together; then error "
            "106. 0: no limit, because an office has one address.",
            ge=0,
            le=10_000_000,
        ),
    ] = 0
    address_commands_per_s: Annotated[
        float,
        msgspec.Meta(description="As `user_commands_per_s`, of an address.", ge=0, le=10_000_000, extra=_RATE),
    ] = 0.0
    address_commands_burst: Annotated[
        int, msgspec.Meta(description="As `user_commands_burst`, of an address.", ge=0, le=10_000_000)
    ] = 0
    address_bytes_per_s: Annotated[
        float,
        msgspec.Meta(description="As `user_bytes_per_s`, of an address.", ge=0, le=1e12, extra=_BYTES_RATE),
    ] = 0.0
    address_bytes_burst: Annotated[
        int,
        msgspec.Meta(
            description="As `user_bytes_burst`, of an address.", ge=0, le=1024 * 1024 * 1024, extra={"unit": "bytes"}
        ),
    ] = 0

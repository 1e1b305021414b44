"""Settings of a node's edge: bounds on connections, in all and for each address, and which are closed for room."""

from typing import Annotated

import msgspec

from ringway.node.config.client import ClientBounds


class NodeEdgeConfig(ClientBounds, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The settings for incoming connections; a part of `NodeConfig`."""

    pending_max: Annotated[
        int,
        msgspec.Meta(
            description="Handshakes and connect commands under way at one time; fewer if open files are few. Above it "
            "(with a ticket: above twice of it) a connection that has sent nothing makes room: the oldest of the "
            "address with the most. If all have only just come, the new connection gets 503 with a pause before a "
            "retry.",
            ge=1,
            le=1_000_000,
        ),
    ] = 2000
    shed_handshakes: Annotated[
        bool,
        msgspec.Meta(
            description="Refuse handshakes above the rate that the node can accept by its own measurement, with 503 "
            "and a pause before a retry. Handshakes with a ticket are accepted first. Off: all are accepted, however "
            "late."
        ),
    ] = True
    connections_max: Annotated[
        int,
        msgspec.Meta(
            description="Connections at one time; further ones get 503. 0: as many as open files allow, minus those "
            "reserved for the process itself and for newcomers. That is always the maximum.",
            ge=0,
            le=10_000_000,
        ),
    ] = 0
    retry_after_s: Annotated[
        int,
        msgspec.Meta(description="Pause before a retry that a 503 asks for.", ge=1, le=3600, extra={"unit": "s"}),
    ] = 2
    tcp_keepalive_s: Annotated[
        int,
        msgspec.Meta(
            description="A peer that is silent for this long is probed (TCP keepalive). A peer whose network is gone "
            "is given up after twice this time, even while data is being sent to it. 0: the system's default, which "
            "may be never.",
            ge=0,
            le=3600,
            extra={"unit": "s"},
        ),
    ] = 30
    address_share: Annotated[
        float,
        msgspec.Meta(
            description="The part of each bounded resource (connections, handshakes without a ticket) that one address "
            "can use alone. The rest is reserved for other addresses; the more addresses compete, the less each gets. "
            "An address is an IPv4 address or an IPv6 /64; gateways report the addresses of their clients. An address "
            "gets more unless that much of the whole is in use. 1: no bound.",
            gt=0,
            le=1,
        ),
    ] = 0.75
    address_connections_max: Annotated[
        int,
        msgspec.Meta(
            description="Connections of one address; further ones get 503. 0: bounded only by `address_share`, because "
            "an office has one address.",
            ge=0,
            le=10_000_000,
        ),
    ] = 0

"""Settings of a node's edge: how many connections come in, how many of one address, and which go for want of room."""

from typing import Annotated

import msgspec

from ringway.node.config.client import ClientBounds


class NodeEdgeConfig(ClientBounds, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The settings of how connections come in; a part of `NodeConfig`."""

    pending_max: Annotated[
        int,
        msgspec.Meta(
            description="Handshakes and connect commands under way at one time; fewer where open files are few. Above "
            "it (with a ticket above twice of it) one that has said nothing makes room for the next: the oldest of the "
            "address that has most. Where all have only just come, the next gets 503 and a pause to keep.",
            ge=1,
            le=1_000_000,
        ),
    ] = 2000
    shed_handshakes: Annotated[
        bool,
        msgspec.Meta(
            description="Refuse handshakes above the rate that the node has measured it can take, with 503 and a pause "
            "to keep, before anything else; those with a ticket are let in first. Off: all are taken, however late."
        ),
    ] = True
    connections_max: Annotated[
        int,
        msgspec.Meta(
            description="Connections at one time; more get 503. 0: as many as open files allow, less what is kept for "
            "the process itself and for newcomers; that is the most in any case.",
            ge=0,
            le=10_000_000,
        ),
    ] = 0
    retry_after_s: Annotated[
        int,
        msgspec.Meta(description="Pause that a 503 asks for.", ge=1, le=3600, extra={"unit": "s"}),
    ] = 2
    tcp_keepalive_s: Annotated[
        int,
        msgspec.Meta(
            description="A peer that is silent for this long is probed (TCP keepalive); one whose network is gone is "
            "given up after twice of it, also while it is being sent to. 0: as the system does, which may be never.",
            ge=0,
            le=3600,
            extra={"unit": "s"},
        ),
    ] = 30
    address_share: Annotated[
        float,
        msgspec.Meta(
            description="Part of each bounded thing (connections, handshakes without a ticket) that one address can "
            "have alone; the rest is kept for others, and the more take, the less each gets. An address is an IPv4 "
            "address or an IPv6 /64; gateways tell those of their clients. Refused is only who would take more while "
            "that much is taken. 1: no bound.",
            gt=0,
            le=1,
        ),
    ] = 0.75
    address_connections_max: Annotated[
        int,
        msgspec.Meta(
            description="Connections of one address; further ones get 503. 0: by `address_share` alone, since an "
            "office has one address.",
            ge=0,
            le=10_000_000,
        ),
    ] = 0

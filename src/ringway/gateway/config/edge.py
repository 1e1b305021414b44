"""Settings of a gateway's edge: how many connections may come, of which addresses, and how long each may take."""

from typing import Annotated

import msgspec

from ringway.gateway.config.port import GatewayListenerConfig


class GatewayEdgeConfig(GatewayListenerConfig, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The settings of how connections come in; a part of `GatewayConfig`."""

    address_share: Annotated[
        float,
        msgspec.Meta(
            description="Part of each bounded thing (handshakes under way, relays, places at nodes) that one address "
            "can have alone; the rest is kept for others, and the more take, the less each gets. An address is an IPv4 "
            "address or an IPv6 /64. An address is refused more only while that much of the whole is in use. 1: no "
            "bound.",
            gt=0,
            le=1,
        ),
    ] = 0.75
    address_relays_max: Annotated[
        int,
        msgspec.Meta(
            description="Proxied WebSockets of one address; further ones get 503. 0: by `address_share` alone, since "
            "an office has one address.",
            ge=0,
            le=10_000_000,
        ),
    ] = 0
    address_places_max: Annotated[
        int,
        msgspec.Meta(
            description="Places (tickets) that one address was promised and has not used; beyond that `GET /gateway` "
            "answers 503. 0: by `address_share` alone.",
            ge=0,
            le=10_000_000,
        ),
    ] = 0
    address_asks_per_s: Annotated[
        float,
        msgspec.Meta(
            description="`GET /gateway` of one address, on average; more get 429 and when to ask again. 0: no bound, "
            "as for a load test.",
            ge=0,
            le=1_000_000,
            extra={"unit": "1/s"},
        ),
    ] = 1000.0
    address_asks_burst: Annotated[
        int,
        msgspec.Meta(description="The same at once: a whole office may come back in one moment.", ge=1, le=10_000_000),
    ] = 10_000

    head_deadline_s: Annotated[
        float,
        msgspec.Meta(
            description="A request head must be complete this long after its connection opened, or its first byte came "
            "after an earlier request; further bytes do not extend it (slowloris).",
            gt=0,
            le=300,
            extra={"unit": "s"},
        ),
    ] = 5.0
    keepalive_idle_s: Annotated[
        float,
        msgspec.Meta(
            description="How long a connection may idle between two plain requests. A balancer in front that keeps "
            "connections must give them up first: set this above its idle timeout (60 s and more), else it sends "
            "requests into a connection that is just being closed.",
            gt=0,
            le=3600,
            extra={"unit": "s"},
        ),
    ] = 15.0
    unsent_bytes_max: Annotated[
        int,
        msgspec.Meta(
            description="Bytes for a client that the kernel takes without having sent them (TCP_NOTSENT_LOWAT): "
            "the bound of what a client holds there that does not read.",
            ge=4096,
            le=1024 * 1024 * 1024,
            extra={"unit": "bytes"},
        ),
    ] = 128 * 1024
    tcp_keepalive_s: Annotated[
        int,
        msgspec.Meta(
            description="A peer that is silent for this long is probed (TCP keepalive); a peer whose network is gone "
            "is given up after twice that time, also while it is being sent to. 0: as the system does, which may be "
            "never.",
            ge=0,
            le=3600,
            extra={"unit": "s"},
        ),
    ] = 30
    relay_idle_s: Annotated[
        float,
        msgspec.Meta(
            description="A proxied WebSocket over which nothing was carried for this long, pings included, is closed "
            "with 1001. 0: never, since most servers ping their clients.",
            ge=0,
            le=31_536_000,
            extra={"unit": "s"},
        ),
    ] = 0.0
    heads_pending_max: Annotated[
        int,
        msgspec.Meta(
            description="Connections without a complete head, or idle between requests; fewer where open files are "
            "few. At the bound the oldest is closed of the address that has most: real clients finish in milliseconds, "
            "so the ones that wait longest are worth least.",
            ge=1,
            le=1_000_000,
        ),
    ] = 4096
    handshakes_pending_max: Annotated[
        int,
        msgspec.Meta(
            description="Upgrades that are being opened at a node at one time; further ones get 503 and a pause.",
            ge=1,
            le=100_000,
        ),
    ] = 1024
    relays_max: Annotated[
        int,
        msgspec.Meta(
            description="Proxied WebSockets at one time (two descriptors each); further ones get 503. "
            "0: as many as open files allow, which is the most in any case.",
            ge=0,
            le=10_000_000,
        ),
    ] = 0
    backlog: Annotated[
        int,
        msgspec.Meta(description="Connections that the kernel may hold for us to accept, in a storm.", ge=1, le=65535),
    ] = 4096

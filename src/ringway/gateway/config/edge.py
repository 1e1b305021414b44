"""Settings of a gateway's edge: bounds on connections, in all and for each address, and their deadlines."""

from typing import Annotated

import msgspec

from ringway.gateway.config.port import GatewayListenerConfig


class GatewayEdgeConfig(GatewayListenerConfig, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The settings for incoming connections; a part of `GatewayConfig`."""

    address_share: Annotated[
        float,
        msgspec.Meta(
            description="The part of each bounded resource (handshakes under way, relays, places at nodes) that one "
            "address can use alone. The rest is reserved for other addresses; the more addresses compete, the less "
            "each gets. An address is an IPv4 address or an IPv6 /64. It gets more unless that much of the whole is in "
            "use. 1: no bound.",
            gt=0,
            le=1,
        ),
    ] = 0.75
    address_relays_max: Annotated[
        int,
        msgspec.Meta(
            description="Proxied WebSockets of one address; further ones get 503. 0: bounded only by `address_share`, "
            "because an office has one address.",
            ge=0,
            le=10_000_000,
        ),
    ] = 0
    address_places_max: Annotated[
        int,
        msgspec.Meta(
            description="Places (tickets) that one address was promised and has not used; beyond that, `GET /gateway` "
            "answers 503. 0: bounded only by `address_share`.",
            ge=0,
            le=10_000_000,
        ),
    ] = 0
    address_asks_per_s: Annotated[
        float,
        msgspec.Meta(
            description="Requests `GET /gateway` of one address a second, on average. Further requests get 429 with "
            "the time to ask again. 0: no bound, as for a load test.",
            ge=0,
            le=1_000_000,
            extra={"unit": "1/s"},
        ),
    ] = 1000.0
    address_asks_burst: Annotated[
        int,
        msgspec.Meta(
            description="Requests `GET /gateway` of one address at once: a whole office may come back in one moment.",
            ge=1,
            le=10_000_000,
        ),
    ] = 10_000

    head_deadline_s: Annotated[
        float,
        msgspec.Meta(
            description="A request head must be complete in this time after its connection opened, or, after an "
            "earlier request, after its first byte. Further bytes do not extend it (slowloris).",
            gt=0,
            le=300,
            extra={"unit": "s"},
        ),
    ] = 5.0
    keepalive_idle_s: Annotated[
        float,
        msgspec.Meta(
            description="A connection may idle this long between two plain requests. A load balancer in front that "
            "reuses connections must close them first: set this above its idle timeout (60 s and more). Otherwise it "
            "sends requests into a connection that is being closed.",
            gt=0,
            le=3600,
            extra={"unit": "s"},
        ),
    ] = 15.0
    unsent_bytes_max: Annotated[
        int,
        msgspec.Meta(
            description="Unsent bytes for a client that the kernel accepts (TCP_NOTSENT_LOWAT): the bound for clients "
            "that do not read.",
            ge=4096,
            le=1024 * 1024 * 1024,
            extra={"unit": "bytes"},
        ),
    ] = 128 * 1024
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
    relay_idle_s: Annotated[
        float,
        msgspec.Meta(
            description="A proxied WebSocket without traffic for this long, pings included, is closed with 1001. 0: "
            "never, because most servers ping their clients.",
            ge=0,
            le=31_536_000,
            extra={"unit": "s"},
        ),
    ] = 0.0
    heads_pending_max: Annotated[
        int,
        msgspec.Meta(
            description="Connections without a complete head, or idle between requests; fewer if open files are few. "
            "At the bound, the oldest connection of the address with the most is closed: real clients finish in "
            "milliseconds, so the oldest are least likely to be real.",
            ge=1,
            le=1_000_000,
        ),
    ] = 4096
    handshakes_pending_max: Annotated[
        int,
        msgspec.Meta(
            description="Upgrades that are being opened at nodes at one time. Further upgrades get 503 with a pause "
            "before a retry.",
            ge=1,
            le=100_000,
        ),
    ] = 1024
    relays_max: Annotated[
        int,
        msgspec.Meta(
            description="Proxied WebSockets at one time (two descriptors each); further ones get 503. 0: as many as "
            "open files allow, which is always the maximum.",
            ge=0,
            le=10_000_000,
        ),
    ] = 0
    backlog: Annotated[
        int,
        msgspec.Meta(
            description="Connections that the kernel may queue until the gateway accepts them, in a storm.",
            ge=1,
            le=65535,
        ),
    ] = 4096

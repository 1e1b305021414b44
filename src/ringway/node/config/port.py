"""Settings of the port that a node listens on: its address, the clients it accepts, and the size of requests."""

from typing import Annotated

import msgspec

from ringway.net.http_port import HttpPortConfig


class ListenerConfig(HttpPortConfig, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The part of a node's settings that its port is opened by."""

    host: Annotated[
        str,
        msgspec.Meta(
            description="Address that the node listens on: * or :: for all there are, 0.0.0.0 for IPv4 alone. "
            "Loopback, so that opening it is a decision."
        ),
    ] = "127.0.0.1"
    port: Annotated[
        int,
        msgspec.Meta(
            description="Port that the node listens on. 0 takes a free one: members learn it by report.", ge=0, le=65535
        ),
    ] = 0
    url: Annotated[
        str,
        msgspec.Meta(
            description="Where members (the gateways' proxies) reach this node, as a ws:// URL with its path. "
            "Empty: made from host, port and path."
        ),
    ] = ""
    public_url: Annotated[
        str,
        msgspec.Meta(
            description="Where clients reach this node directly, as ws:// or wss:// URL. Empty: the same as `url`."
        ),
    ] = ""
    path: Annotated[
        str,
        msgspec.Meta(
            description="Path of the WebSocket; the one that Centrifuge clients use by convention.", pattern="^/"
        ),
    ] = "/connection/websocket"
    allowed_origins: Annotated[
        tuple[str, ...],
        msgspec.Meta(
            description="Pages of other origins that may connect: https://app.example, https://*.app.example for all "
            "below a name, http://localhost:* for all ports, those of apps (capacitor://localhost, "
            "chrome-extension://...), null for pages without an origin, `*` for all. The node's own origin and those "
            "of the known gateways need no entry. What could never match is refused at the start."
        ),
    ] = ()

    handshake_deadline_s: Annotated[
        float,
        msgspec.Meta(
            description="The request head must be complete this long after its connection opened; further bytes do not "
            "extend it (slowloris).",
            gt=0,
            le=300,
            extra={"unit": "s"},
        ),
    ] = 5.0
    receive_buffer_bytes: Annotated[
        int,
        msgspec.Meta(
            description="Bytes of a client that the kernel holds for the node to read (SO_RCVBUF; Linux doubles it): "
            "how much a client may send in a round trip, and how much of one is read at once.",
            ge=4096,
            le=1024 * 1024 * 1024,
            extra={"unit": "bytes"},
        ),
    ] = 64 * 1024
    unsent_bytes_max: Annotated[
        int,
        msgspec.Meta(
            description="Bytes for a client that the kernel takes without having sent them (TCP_NOTSENT_LOWAT); what "
            "is more waits in the node, where outbox_bytes_max bounds it.",
            ge=4096,
            le=1024 * 1024 * 1024,
            extra={"unit": "bytes"},
        ),
    ] = 128 * 1024
    backlog: Annotated[
        int,
        msgspec.Meta(description="Connections that the kernel may hold for us to accept, in a storm.", ge=1, le=65535),
    ] = 4096

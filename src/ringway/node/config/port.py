"""Settings of a node's port: its address, the clients that it accepts, and the size of requests."""

from typing import Annotated

import msgspec

from ringway.net.http_port import HttpPortConfig


class ListenerConfig(HttpPortConfig, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The settings that open a node's port; a part of `NodeConfig`."""

    host: Annotated[
        str,
        msgspec.Meta(
            description="Address that the node listens on. * or :: means all addresses, 0.0.0.0 all of IPv4. The "
            "default is loopback, so that opening the port is a decision."
        ),
    ] = "127.0.0.1"
    port: Annotated[
        int,
        msgspec.Meta(
            description="Port that the node listens on. 0 takes a free port, which members learn by report.",
            ge=0,
            le=65535,
        ),
    ] = 0
    url: Annotated[
        str,
        msgspec.Meta(
            description="URL at which members (the gateways' proxies) reach this node: ws:// with its path. Empty: "
            "made from host, port and path."
        ),
    ] = ""
    public_url: Annotated[
        str,
        msgspec.Meta(
            description="URL at which clients reach this node directly: ws:// or wss://. Empty: the same as `url`."
        ),
    ] = ""
    path: Annotated[
        str,
        msgspec.Meta(
            description="Path of the WebSocket. The default is the convention of Centrifuge clients.", pattern="^/"
        ),
    ] = "/connection/websocket"
    allowed_origins: Annotated[
        tuple[str, ...],
        msgspec.Meta(
            description="Origins of pages that may connect: https://app.example, https://*.app.example for all below a "
            "name, http://localhost:* for all ports, origins of apps (capacitor://localhost, chrome-extension://...), "
            "null for pages without an origin, `*` for all. The node's own origin and the origins of known gateways "
            "need no entry. An entry that could never match is refused at the start."
        ),
    ] = ()

    handshake_deadline_s: Annotated[
        float,
        msgspec.Meta(
            description="The request head must be complete in this time after its connection opened. Further bytes do "
            "not extend it (slowloris).",
            gt=0,
            le=300,
            extra={"unit": "s"},
        ),
    ] = 5.0
    receive_buffer_bytes: Annotated[
        int,
        msgspec.Meta(
            description="Bytes of a client that the kernel holds until the node reads them (SO_RCVBUF; Linux doubles "
            "it): the most that a client can send in a round trip, and that one read returns.",
            ge=4096,
            le=1024 * 1024 * 1024,
            extra={"unit": "bytes"},
        ),
    ] = 64 * 1024
    unsent_bytes_max: Annotated[
        int,
        msgspec.Meta(
            description="Unsent bytes for a client that the kernel accepts (TCP_NOTSENT_LOWAT). The rest waits in the "
            "node, where outbox_bytes_max bounds it.",
            ge=4096,
            le=1024 * 1024 * 1024,
            extra={"unit": "bytes"},
        ),
    ] = 128 * 1024
    backlog: Annotated[
        int,
        msgspec.Meta(
            description="Connections that the kernel may queue until the node accepts them, in a storm.",
            ge=1,
            le=65535,
        ),
    ] = 4096

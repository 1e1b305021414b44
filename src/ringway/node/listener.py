"""Settings of the port that a node listens on: where it is, whose requests it takes, and how large they may be."""

from typing import Annotated

import msgspec

from ringway.errors import ConfigError
from ringway.protocol.forwarded import read_networks
from ringway.protocol.host import read_hosts
from ringway.protocol.origin import read_origins
from ringway.protocol.upgrade import HEAD_BYTES_MAX, HEADERS_MAX


class ListenerConfig(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
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
    allowed_hosts: Annotated[
        tuple[str, ...],
        msgspec.Meta(
            description="Names by which browsers may reach a node that listens on loopback, beside localhost, "
            "addresses, `url`, `public_url` and the gateways: app.example, *.app.example, `*` for any. A page of any "
            "other name was led here by the name's owner (DNS rebinding) and is refused."
        ),
    ] = ()
    trusted_proxies: Annotated[
        tuple[str, ...],
        msgspec.Meta(
            description="Networks (CIDR) of proxies before the node whose X-Forwarded-* and Forwarded headers are "
            "believed. Gateways need no entry: they prove what they tell."
        ),
    ] = ()
    proxy_protocol: Annotated[
        bool,
        msgspec.Meta(
            description="Connections of `trusted_proxies` begin with a PROXY header, version 1 or 2, which says where "
            "they come from: of HAProxy (`send-proxy`, `send-proxy-v2-ssl`), AWS and other balancers of layer 4. Then "
            "theirs without one are refused, and from anybody else none is taken. Gateways send none: do not list them."
        ),
    ] = False

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
    head_bytes_max: Annotated[
        int,
        msgspec.Meta(
            description="Longest request head, else 431. Cookies and tokens of single sign-on may need more.",
            ge=1024,
            le=1024 * 1024,
            extra={"unit": "bytes"},
        ),
    ] = HEAD_BYTES_MAX
    headers_max: Annotated[
        int,
        msgspec.Meta(description="Headers in a request, else 431. Each proxy on the way adds some.", ge=8, le=1000),
    ] = HEADERS_MAX
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

    def check_lists(self) -> None:
        """Raise `ConfigError` with every entry of a list that could never match, and where a list is missing."""
        problems: list[str] = []
        for read, texts in (
            (read_origins, self.allowed_origins),
            (read_hosts, self.allowed_hosts),
            (read_networks, self.trusted_proxies),
        ):
            try:
                read(texts)
            except ConfigError as error:
                problems += error.problems
        if self.proxy_protocol and not self.trusted_proxies:
            problems.append("proxy_protocol is on and trusted_proxies names nobody; name the balancers that send it")
        if problems:
            raise ConfigError(*problems)

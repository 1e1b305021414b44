"""Settings of a gateway's public port: where it is, whose requests it takes, whom it believes, the bounds of heads."""

from typing import Annotated

import msgspec

from ringway.errors import ConfigError
from ringway.protocol.forwarded import read_networks
from ringway.protocol.host import read_hosts
from ringway.protocol.origin import read_origins
from ringway.protocol.upgrade import HEAD_BYTES_MAX, HEADERS_MAX


class GatewayListenerConfig(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The part of a gateway's settings that its port is opened by."""

    host: Annotated[
        str,
        msgspec.Meta(
            description="Address that the public port listens on: * or :: for all there are, 0.0.0.0 for IPv4 alone. "
            "Loopback, so that opening it is a decision."
        ),
    ] = "127.0.0.1"
    port: Annotated[
        int,
        msgspec.Meta(
            description="Public port: discovery, health and proxied WebSockets. 0 takes a free one.", ge=0, le=65535
        ),
    ] = 8000
    public_url: Annotated[
        str,
        msgspec.Meta(description="Where clients reach this gateway, for reports. Empty: made from host and port."),
    ] = ""
    allowed_origins: Annotated[
        tuple[str, ...],
        msgspec.Meta(
            description="Pages of other origins that may read `GET /gateway` (CORS): https://app.example, "
            "https://*.app.example for all below a name, http://localhost:* for all ports, those of apps "
            "(capacitor://localhost, chrome-extension://...), null for pages without an origin, `*` for all. "
            "Same-origin pages need no entry. What could never match is refused at the start. Origins of WebSockets "
            "are judged by the nodes."
        ),
    ] = ()
    pages: Annotated[
        str,
        msgspec.Meta(
            description="Directory of files to serve at the public port, read at the start: a demo, or a page of your "
            "own that then needs no entry in `allowed_origins`. Empty: none."
        ),
    ] = ""
    trusted_proxies: Annotated[
        tuple[str, ...],
        msgspec.Meta(
            description="Networks (CIDR) of proxies before the gateway whose X-Forwarded-* and Forwarded headers are "
            "believed. None, because anybody can write such headers."
        ),
    ] = ()
    proxy_protocol: Annotated[
        bool,
        msgspec.Meta(
            description="Connections of `trusted_proxies` begin with a PROXY header, version 1 or 2, which says where "
            "they come from: of HAProxy (`send-proxy`, `send-proxy-v2-ssl`), AWS and other balancers of layer 4. Then "
            "theirs without one are refused, and from anybody else none is taken."
        ),
    ] = False
    allowed_hosts: Annotated[
        tuple[str, ...],
        msgspec.Meta(
            description="Names by which a gateway that listens on loopback may be reached, beside localhost, addresses "
            "and `public_url`: app.example, *.app.example, `*` for any. A browser that comes under any other name was "
            "led here by the name's owner (DNS rebinding) and is refused; so is a proxy on this machine that is not in "
            "`trusted_proxies`."
        ),
    ] = ()
    head_bytes_max: Annotated[
        int,
        msgspec.Meta(
            description="Longest request head, else 431; and of a node's or backend's answer, else 502. Cookies and "
            "tokens of single sign-on may need more.",
            ge=1024,
            le=1024 * 1024,
            extra={"unit": "bytes"},
        ),
    ] = HEAD_BYTES_MAX
    headers_max: Annotated[
        int,
        msgspec.Meta(
            description="Headers in a request, else 431, or in an answer, else 502. Each proxy on the way adds some.",
            ge=8,
            le=1000,
        ),
    ] = HEADERS_MAX

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

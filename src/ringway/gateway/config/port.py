"""Settings of a gateway's public port: its address, the pages that may ask, and the files that it serves."""

from typing import Annotated

import msgspec

from ringway.net.http_port import HttpPortConfig


class GatewayListenerConfig(HttpPortConfig, frozen=True, kw_only=True, forbid_unknown_fields=True):
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
        msgspec.Meta(
            description="URL at which clients reach this gateway, for reports. Empty: made from host and port."
        ),
    ] = ""
    allowed_origins: Annotated[
        tuple[str, ...],
        msgspec.Meta(
            description="Pages of other origins that may read `GET /gateway` (CORS): https://app.example, "
            "https://*.app.example for all below a name, http://localhost:* for all ports, those of apps "
            "(capacitor://localhost, chrome-extension://...), null for pages without an origin, `*` for all. "
            "Same-origin pages need no entry. An entry that could never match is refused at the start. Origins of "
            "WebSockets "
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

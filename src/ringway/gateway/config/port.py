"""Settings of a gateway's public port: its address, the origins that it accepts, and the files that it serves."""

from typing import Annotated

import msgspec

from ringway.gateway.config.upstream import GatewayUpstreamConfig


class GatewayListenerConfig(GatewayUpstreamConfig, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The settings that open a gateway's port; a part of `GatewayConfig`."""

    host: Annotated[
        str,
        msgspec.Meta(
            description="Address that the public port listens on. * or :: means all addresses, 0.0.0.0 all of IPv4. "
            "The default is loopback, so that opening the port is a decision."
        ),
    ] = "127.0.0.1"
    port: Annotated[
        int,
        msgspec.Meta(
            description="Public port: discovery, health and proxied WebSockets. 0 takes a free port.", ge=0, le=65535
        ),
    ] = 8000
    public_url: Annotated[
        str,
        msgspec.Meta(
            description="URL at which clients reach this gateway: sent in its reports, and to clients of backends by "
            "`GET /gateway`. Empty: made from host and port; to clients, the URL by which they ask."
        ),
    ] = ""
    allowed_origins: Annotated[
        tuple[str, ...],
        msgspec.Meta(
            description="Origins of pages that may read `GET /gateway` (CORS): https://app.example, "
            "https://*.app.example for all below a name, http://localhost:* for all ports, origins of apps "
            "(capacitor://localhost, chrome-extension://...), null for pages without an origin, `*` for all. "
            "Same-origin pages need no entry. An entry that could never match is refused at the start. Nodes check the "
            "origins of WebSockets."
        ),
    ] = ()
    pages: Annotated[
        str,
        msgspec.Meta(
            description="Directory of files to serve at the public port, read at the start: a demo, or your own page, "
            "which then needs no entry in `allowed_origins`. Empty: none."
        ),
    ] = ""

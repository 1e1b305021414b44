"""Settings of every public HTTP port: trusted proxies, its own names, and bounds of heads."""

from typing import Annotated

import msgspec

from ringway.errors import ConfigError
from ringway.net.tls.config import TlsPortConfig
from ringway.protocol.forwarded import read_networks
from ringway.protocol.host import read_hosts
from ringway.protocol.origin import read_origins
from ringway.protocol.upgrade import HEAD_BYTES_MAX, HEADERS_MAX


class HttpPortConfig(TlsPortConfig, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The common settings of the ports of gateways and nodes, beside their own host, port and origins."""

    host: str = "127.0.0.1"
    port: int = 0
    allowed_origins: Annotated[
        tuple[str, ...],
        msgspec.Meta(description="Pages that may ask; see the settings of gateway and node."),
    ] = ()
    allowed_hosts: Annotated[
        tuple[str, ...],
        msgspec.Meta(
            description="Names under which this may be reached if it listens on loopback, beside localhost, addresses, "
            "and its own URLs (for a node also those of its gateways, for a gateway also the hosts of its routes): "
            "app.example, *.app.example, `*` for any. A browser with any other name was led here by the owner of the "
            "name (DNS rebinding) and is refused; so is a proxy on this machine that is not in `trusted_proxies`."
        ),
    ] = ()
    trusted_proxies: Annotated[
        tuple[str, ...],
        msgspec.Meta(
            description="Networks (CIDR) of proxies in front whose X-Forwarded-* and Forwarded headers are believed. "
            "None by default, because every client can write such headers. Gateways need no entry at nodes: they prove "
            "what they report."
        ),
    ] = ()
    proxy_protocol: Annotated[
        bool,
        msgspec.Meta(
            description="Connections of `trusted_proxies` begin with a PROXY header, version 1 or 2, with the address "
            "of the client: from HAProxy (`send-proxy`, `send-proxy-v2-ssl`), AWS and other balancers of layer 4. Then "
            "their connections without a header are refused, and no header of other peers is accepted. Gateways send "
            "none to nodes."
        ),
    ] = False
    head_bytes_max: Annotated[
        int,
        msgspec.Meta(
            description="Longest head of a request, else 431; at a gateway also of an answer of a node or backend, "
            "else 502. Cookies and tokens of single sign-on may need more.",
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

    def list_problems(self) -> list[str]:
        """Return each list entry that can never match, and each list that is missing, in sentences."""
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
        return problems + self.tls_problems()

"""Addresses of nodes, and requests to nodes, with TLS and deadlines."""

import ssl
from urllib.parse import urlsplit

from ringway.core.load import NodeLoad
from ringway.errors import ConfigError
from ringway.gateway.config.gateway import GatewayConfig
from ringway.gateway.proxy.upstream import Answer, AnswerLimits, Unreachable, request_upgrade
from ringway.gateway.proxy.upstream_tls import UpstreamTls
from ringway.net.liveness import watch_peer
from ringway.protocol.server_address import ServerAddress

ADDRESSES_MAX = 4096
"""The number of cached addresses: nodes come and go, with new ports each time. Above the bound the cache is cleared."""


class NodeAddresses:
    """The addresses of the nodes of one gateway, and the limits of requests to them."""

    def __init__(self, config: GatewayConfig) -> None:
        self._limits = AnswerLimits(
            config.connect_deadline_s,
            config.answer_deadline_s,
            config.head_bytes_max,
            config.headers_max,
            config.refusal_bytes_max,
        )
        self._tcp_keepalive_s = config.tcp_keepalive_s
        self._addresses: dict[str, ServerAddress] = {}
        self._tls = UpstreamTls(config)

    def address_of(self, node: NodeLoad) -> ServerAddress:
        """Return the address of `node`; raise `Unreachable` if its reported URL has no valid address."""
        url = node.report.url if node.report is not None else ""
        address = self._addresses.get(url)
        if address is None:
            try:
                address = self._tls.read_address(url)
            except ConfigError as error:
                raise Unreachable(502, f"the node {node.name} reports a URL that cannot be used") from error
            if len(self._addresses) >= ADDRESSES_MAX:
                self._addresses.clear()
            self._addresses[url] = address
        return address

    def read_url(self, url: str) -> ServerAddress:
        """Return the address in a node's `url`; raise `ConfigError` if it is wrong."""
        return self._tls.read_address(url)

    def path_of(self, node: NodeLoad) -> str:
        """Return the path in the URL that `node` reports; raise `Unreachable` if its reported URL has no valid
        address."""
        self.address_of(node)
        return urlsplit(node.report.url).path or "/" if node.report is not None else "/"

    async def send_request(self, address: ServerAddress, request: bytes) -> Answer:
        """Send `request` there and return the answer, as `upstream.request_upgrade` does."""
        tls = self.tls_context() if address.tls else None
        answer = await request_upgrade(address, request, tls, self._limits)
        if answer.status == 101:
            sock = answer.transport.get_extra_info("socket")
            watch_peer(sock.fileno(), self._tcp_keepalive_s)
        return answer

    async def probe(self, node: NodeLoad) -> None:
        """Send `node` a plain HTTP request, which it refuses; raise `UpgradeError` if it does not answer."""
        address = self.address_of(node)
        request = f"GET / HTTP/1.1\r\nHost: {address.authority}\r\nConnection: close\r\n\r\n"
        answer = await self.send_request(address, request.encode())
        answer.transport.abort()

    def tls_context(self) -> ssl.SSLContext:
        """Return the context of the next connection to a node or backend."""
        return self._tls.context()

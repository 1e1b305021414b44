"""Routes of the public port: the requests that it answers by itself, and the upgrades that are proxied."""

import asyncio
from collections.abc import Iterable

from ringway.core.group import why_none_of
from ringway.core.route_spec import read_routes
from ringway.errors import UpgradeError
from ringway.gateway.cluster.directory import Directory
from ringway.gateway.config.gateway import GatewayConfig
from ringway.gateway.http.static import StaticFiles
from ringway.gateway.placement.discovery import Discovery
from ringway.gateway.proxy.relays import Relays
from ringway.gateway.stats import GatewayStats
from ringway.protocol.forwarded import is_trusted, read_networks
from ringway.protocol.head import ALLOWED, HeadReader, RequestHead
from ringway.protocol.host import host_at, host_known, is_loopback, read_hosts, unknown_host
from ringway.protocol.proxy_header import ProxyHeaderReader, Source, peer_of
from ringway.protocol.response import error_body, response
from ringway.protocol.upgrade import value_of

_HEALTHY = response(200, b'{"status":"ok"}', ("Cache-Control", "no-store"))
_HEALTHY_CLOSE = response(200, b'{"status":"ok"}', ("Cache-Control", "no-store"), close=True)


class Router:
    """The routes of one gateway, and the order of a request's checks."""

    def __init__(
        self,
        config: GatewayConfig,
        directory: Directory,
        discovery: Discovery,
        relays: Relays,
        files: StaticFiles,
        stats: GatewayStats,
    ) -> None:
        self._config = config
        self._directory = directory
        self._discovery = discovery
        self._relays = relays
        self._files = files
        self._stats = stats
        self._trusted = read_networks(config.trusted_proxies)
        routed = read_hosts([route.host for route in read_routes(config.routes) if route.host], "host")
        self._hosts = read_hosts(config.allowed_hosts).union(host_at(config.public_url), routed)
        self._on_loopback = False
        prefix = config.own_paths_prefix
        self._own = {f"{prefix}/{kind}": kind for kind in ("gateway", "healthz", "readyz")}
        self._shown = f"see {prefix}/gateway, {prefix}/healthz and {prefix}/readyz"

    @property
    def head_bytes_max(self) -> int:
        """The size of the longest head."""
        return self._config.head_bytes_max

    @property
    def headers_max(self) -> int:
        """The most headers of a request."""
        return self._config.headers_max

    def on_listening(self, addresses: Iterable[str]) -> None:
        """Record the addresses of the port. If all are loopback, hosts are checked (`check_host`)."""
        self._on_loopback = all(map(is_loopback, addresses))

    def make_reader(self, transport: asyncio.BaseTransport, source: Source | None = None) -> HeadReader:
        """Return a reader of the heads of a new connection, and of the PROXY header before them if it is expected.

        With TLS, that header has come before TLS, and `source` is known.
        """
        config = self._config
        proxied = source is None and self._is_proxied(transport)
        return HeadReader(config.head_bytes_max, config.headers_max, proxied=proxied, source=source)

    def make_proxy_reader(self, transport: asyncio.BaseTransport) -> ProxyHeaderReader | None:
        """Return a reader of the PROXY header before the first head of a new connection; None if none is expected."""
        return ProxyHeaderReader(self._config.head_bytes_max) if self._is_proxied(transport) else None

    def count_response(self, status: int) -> None:
        """Count a response of a different part of the gateway."""
        self._stats.responses[status] += 1

    def count_request(self, kind: str) -> None:
        """Count a request that a different part of the gateway answers."""
        self._stats.requests[kind] += 1

    def answers(self, head: RequestHead) -> bool:
        """True if the gateway has an answer of its own at the path of a request: a path of its own, or a file."""
        return head.path in self._own or self._files.has(head.path)

    def check_host(self, client: asyncio.BaseTransport, head: RequestHead) -> None:
        """Raise `UpgradeError` if an unknown name has led a browser to this machine (`protocol.host`)."""
        if not self._on_loopback:
            return
        host = value_of(head.headers, "host") or ""
        if host_known(host, self._hosts):
            return
        peer = peer_of(head.source, client.get_extra_info("peername"))
        if not (peer.carried or is_trusted(peer.ip, self._trusted)):
            raise UpgradeError(403, unknown_host(host))

    def respond(self, client: asyncio.BaseTransport, head: RequestHead) -> bytes:
        """Return the response to a plain request; raise `UpgradeError` with the status of the refusal."""
        self.check_host(client, head)
        stats = self._stats
        path = head.path
        kind = self._own.get(path)
        if kind is None:
            stats.requests["other"] += 1
            file = self._files.response_to(path, close=not head.keep_alive) if head.method in ("GET", "HEAD") else None
            if file is not None:
                stats.responses[200] += 1
                return file
            raise UpgradeError(404, f"there is nothing at this path but WebSockets; {self._shown}")
        if head.method not in ("GET", "HEAD"):
            stats.requests["other"] += 1
            raise UpgradeError(405, f"{path} answers GET and HEAD only", ALLOWED)
        stats.requests[kind] += 1
        if kind == "gateway":
            status, whole = self._discovery.answer(client, head)
            stats.responses[status] += 1
            return whole
        if kind == "healthz":
            stats.responses[200] += 1
            return _HEALTHY if head.keep_alive else _HEALTHY_CLOSE
        return self._ready(close=not head.keep_alive)

    def upgrade(self, transport: asyncio.Transport, head: RequestHead, early: bytes) -> None:
        """Pass a connection to the relays; raise `UpgradeError` with the status of the refusal."""
        self._stats.requests["upgrade"] += 1
        self.check_host(transport, head)
        if head.path in self._own:
            raise UpgradeError(400, f"{head.path} is answered by the gateway itself; it takes no upgrade")
        self._relays.admit(transport, head, early)

    def _is_proxied(self, transport: asyncio.BaseTransport) -> bool:
        """True if a PROXY header comes before the first head of a connection."""
        peer = peer_of(None, transport.get_extra_info("peername"))
        return self._config.proxy_protocol and is_trusted(peer.ip, self._trusted)

    def _ready(self, *, close: bool) -> bytes:
        problem = self._problem()
        status = 503 if problem else 200
        self._stats.responses[status] += 1
        body = error_body(problem) if problem else self._readiness()
        return response(status, body, ("Cache-Control", "no-store"), close=close)

    def _problem(self) -> str:
        """Return the reason why this gateway should get no clients now; empty if it should get clients."""
        problem = why_none_of(self._directory.groups)
        if problem and not self._directory.engine_up:
            return f"{problem}; the engine cannot be reached"
        return problem  # an absent engine does not count: it would make all gateways unready together

    def _readiness(self) -> bytes:
        """Return the state in JSON. It is public, so the engine's problem is not named."""
        nodes = len(self._directory.groups.eligible)
        if not self._directory.engine_up:
            return b'{"status":"degraded","nodes":%d,"problem":"the engine cannot be reached"}' % nodes
        if self._directory.engine_problem:
            return b'{"status":"degraded","nodes":%d,"problem":"the engine refuses something"}' % nodes
        return b'{"status":"ready","nodes":%d}' % nodes

"""What the public port answers by itself, and whom it lets in: routes, health, deadlines of heads, and room."""

import asyncio
from collections.abc import Callable
from typing import TYPE_CHECKING

from ringway.core.files import FileBudget
from ringway.core.pending import Pending
from ringway.core.placement import why_none
from ringway.errors import UpgradeError
from ringway.gateway.cluster.directory import Directory
from ringway.gateway.config.gateway import GatewayConfig
from ringway.gateway.http.address_limits import AddressLimits
from ringway.gateway.http.static import Pages
from ringway.gateway.placement.discovery import Discovery
from ringway.gateway.proxy.relays import Relays
from ringway.gateway.stats import Stats
from ringway.net.lingering_close import LingeringCloses
from ringway.protocol.forwarded import is_trusted, read_networks
from ringway.protocol.head import ALLOWED, HeadReader, RequestHead
from ringway.protocol.host import host_at, host_known, read_hosts, unknown_host
from ringway.protocol.proxy_header import peer_of
from ringway.protocol.response import error_body, response
from ringway.protocol.upgrade import value_of

if TYPE_CHECKING:
    from ringway.gateway.http.connection import Visitor

_OWN = frozenset({"/gateway", "/healthz", "/readyz"})
_HEALTHY = response(200, b'{"status":"ok"}', ("Cache-Control", "no-store"))
_HEALTHY_CLOSE = response(200, b'{"status":"ok"}', ("Cache-Control", "no-store"), close=True)

LINGERING_MAX = 4096
"""Connections that are being told at one time why they are refused; fewer where open files are few."""

EVICTIONS_MAX = 2
"""For each connection that comes: enough to make up for room that became less meanwhile."""


class Door:
    """See the module. For want of room the visitors go that have waited longest, of the address that has most."""

    def __init__(
        self,
        config: GatewayConfig,
        directory: Directory,
        discovery: Discovery,
        relays: Relays,
        pages: Pages,
        stats: Stats,
        clock: Callable[[], float],
        limits: AddressLimits,
        files: FileBudget,
        lingering: LingeringCloses,
    ) -> None:
        self.lingering = lingering
        self._limits = limits
        self._files = files
        self._config = config
        self._directory = directory
        self._discovery = discovery
        self._relays = relays
        self._pages = pages
        self._stats = stats
        self._clock = clock
        self._visitors: Pending[Visitor] = Pending()
        self._sweeps = (clock(), clock())
        """When the last two were. Who is silent is judged as of the one before the last: a process that was busy has
        not listened since."""
        self._spoken: dict[Visitor, None] = {}  # those that something was read from, the longest ago first
        self._trusted = read_networks(config.trusted_proxies)
        self._hosts = read_hosts(config.allowed_hosts).union(host_at(config.public_url))
        self.on_loopback = False
        """Whether only this machine can connect; then nobody must have been led here under another name."""

    def reader(self, transport: asyncio.BaseTransport) -> HeadReader:
        """Return what reads the heads of a new connection, and a PROXY header before them where it is to come."""
        config = self._config
        proxied = config.proxy_protocol and is_trusted(
            peer_of(None, transport.get_extra_info("peername")).ip, self._trusted
        )
        return HeadReader(config.head_bytes_max, config.headers_max, proxied=proxied)

    def enter(self, visitor: "Visitor") -> None:
        """Let a new connection in; another goes where there is no room."""
        stats, now = self._stats, self._clock()
        stats.connections += 1
        room = self._files.pending_max(self._relays.files, self._config.heads_pending_max)
        address = self._limits.peer(visitor.transport)
        for _ in range(EVICTIONS_MAX):
            if len(self._visitors) + len(self.lingering) < room:
                break
            if not self._evict(room, address):
                self._turn_away(visitor)
                return
        self._visitors.add(visitor, address, now)
        visitor.deadline = now + self._config.head_deadline_s
        stats.heads_pending = len(self._visitors)

    def _evict(self, room: int, newcomer: str) -> bool:
        """Close one connection, so that another can come; return whether there was one."""
        if 2 * len(self.lingering) > room and self.lingering.cut_oldest():
            return True
        victim = self._visitors.victim(self._sweeps[0], newcomer) or next(iter(self._spoken), None)
        if victim is None:
            return False
        self.exit(victim)
        self._stats.evicted += 1
        victim.transport.abort()
        return True

    def _turn_away(self, visitor: "Visitor") -> None:
        """Tell a connection to come again: all others have only just come, and their requests may be here already."""
        self._stats.evicted += 1
        files = self._files
        spare = files.files - files.own - self._relays.files - len(self._visitors)
        if len(self.lingering) >= max(files.new // 2, min(LINGERING_MAX, spare)):
            self.lingering.cut_oldest()
        pause_s = str(2 + self._stats.evicted % 8)  # not all at one moment
        visitor.refuse(
            UpgradeError(503, "too many connections come at once; come again later", (("Retry-After", pause_s),))
        )

    def begun(self, visitor: "Visitor") -> None:
        """Take note that a connection has sent a part of a request."""
        self._spoken[visitor] = None

    def answered(self, visitor: "Visitor") -> None:
        """Take note that a connection has sent a whole request: of those that idle it is the last to go."""
        self._visitors.renew(visitor, self._clock())
        self._spoken.pop(visitor, None)
        self._spoken[visitor] = None

    def exit(self, visitor: "Visitor") -> None:
        """Forget a connection that speaks no HTTP any more. Idempotent."""
        self._visitors.remove(visitor)
        self._spoken.pop(visitor, None)
        self._stats.heads_pending = len(self._visitors)

    def deadline(self, *, waiting: bool) -> float:
        """When a connection is to be closed: it is waiting for the rest of a head, or idle between two."""
        return self._clock() + (self._config.head_deadline_s if waiting else self._config.keepalive_idle_s)

    def sweep(self) -> None:
        """Close connections whose time has passed; call it a few times a second."""
        now = self._clock()
        self._sweeps = (self._sweeps[1], now)
        for visitor in [visitor for visitor in self._visitors if visitor.deadline <= now]:
            self._stats.evicted += 1
            visitor.expire()
        self._limits.tell()

    def close(self) -> None:
        """End every connection that still speaks HTTP."""
        for visitor in self._visitors:
            self.exit(visitor)
            visitor.transport.abort()
        self.lingering.abort()

    def count(self, status: int) -> None:
        """Count a response that was made elsewhere."""
        self._stats.responses[status] += 1

    def check_host(self, client: asyncio.BaseTransport, head: RequestHead) -> None:
        """Raise `UpgradeError` where a name has led a browser to this machine that is not known (`protocol.host`)."""
        if not self.on_loopback:
            return
        host = value_of(head.headers, "host") or ""
        if host_known(host, self._hosts):
            return
        peer = peer_of(head.source, client.get_extra_info("peername"))
        if not (peer.carried or is_trusted(peer.ip, self._trusted)):
            raise UpgradeError(403, unknown_host(host))

    def answer(self, client: asyncio.BaseTransport, head: RequestHead) -> bytes:
        """Return the response to a plain request; raise `UpgradeError` with its status where there is no answer."""
        self.check_host(client, head)
        stats = self._stats
        path = head.path
        if path not in _OWN:
            stats.requests["other"] += 1
            page = self._pages.get(path, close=not head.keep_alive) if head.method in ("GET", "HEAD") else None
            if page is not None:
                stats.responses[200] += 1
                return page
            raise UpgradeError(404, "there is nothing at this path but WebSockets; see /gateway, /healthz and /readyz")
        if head.method not in ("GET", "HEAD"):
            stats.requests["other"] += 1
            raise UpgradeError(405, f"{path} answers GET and HEAD only", ALLOWED)
        stats.requests[path[1:]] += 1
        if path == "/gateway":
            status, whole = self._discovery.answer(client, head)
            stats.responses[status] += 1
            return whole
        if path == "/healthz":
            stats.responses[200] += 1
            return _HEALTHY if head.keep_alive else _HEALTHY_CLOSE
        return self._ready(close=not head.keep_alive)

    def upgrade(self, transport: asyncio.Transport, head: RequestHead, early: bytes) -> None:
        """Hand a connection over to be proxied; raise `UpgradeError` where it is not to be."""
        self._stats.requests["upgrade"] += 1
        self.check_host(transport, head)
        if head.path in _OWN:
            raise UpgradeError(400, f"{head.path} is answered by the gateway itself; it takes no upgrade")
        self._relays.admit(transport, head, early)

    def _ready(self, *, close: bool) -> bytes:
        problem = self._problem()
        status = 503 if problem else 200
        self._stats.responses[status] += 1
        body = error_body(problem) if problem else self._readiness()
        return response(status, body, ("Cache-Control", "no-store"), close=close)

    def _problem(self) -> str:
        """Why this gateway should be sent no clients now; empty where it should."""
        problem = why_none(self._directory.view)
        if problem and not self._directory.engine_up:
            return f"{problem}; the engine cannot be reached"
        return problem  # none without the engine, where a node can be had: else all gateways would leave together

    def _readiness(self) -> bytes:
        """Say how ready: the admin port and the log know why the engine is not well; here anybody may ask."""
        nodes = len(self._directory.view.eligible)
        if not self._directory.engine_up:
            return b'{"status":"degraded","nodes":%d,"problem":"the engine cannot be reached"}' % nodes
        if self._directory.engine_problem:
            return b'{"status":"degraded","nodes":%d,"problem":"the engine refuses something"}' % nodes
        return b'{"status":"ready","nodes":%d}' % nodes

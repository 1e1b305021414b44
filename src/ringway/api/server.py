"""An API port: a server of its own, inside the event loop of its process."""

import asyncio
import resource
import socket
from collections.abc import Callable
from dataclasses import replace

from ringway.api.admission import ApiConnections
from ringway.api.connection import ApiConnection, Asgi
from ringway.api.limits import PortLimits
from ringway.core.files import plan_files
from ringway.errors import ConfigError
from ringway.net.listening import Listening, accept_by, bind, listen_at
from ringway.net.liveness import watch_peers_of
from ringway.net.tls.config import TlsPortConfig
from ringway.net.tls.listening import TlsAcceptor, TlsArrivals
from ringway.net.tls.server import PortTls
from ringway.protocol.address import show_host_port
from ringway.protocol.host import is_loopback
from ringway.tasks import Tasks

BACKLOG = 512
FILES_SHARE = 4
"""An API port gets one in this many of the descriptors that a process keeps for itself."""

STOP_S = 1.0
"""The time for answers under way after the port is closed."""


class ApiServer:
    """An API port. The constructor binds it: `url` is known from then on, and a port in use is reported at once.

    `tls` are the settings of its TLS; raise `ConfigError` for files that cannot be used.
    """

    def __init__(self, host: str, port: int, limits: PortLimits, tls: TlsPortConfig | None = None) -> None:
        self.tls = PortTls(tls, limits.section) if tls is not None and tls.tls_cert else None
        self._sockets = _bind(host, port, limits)
        scheme = "http" if self.tls is None else "https"
        self._url = f"{scheme}://{show_host_port(*self._sockets[0].getsockname()[:2])}"
        self._on_loopback = all(is_loopback(each.getsockname()[0]) for each in self._sockets)
        watch_peers_of(self._sockets, limits.tcp_keepalive_s)
        files = plan_files(resource.getrlimit(resource.RLIMIT_NOFILE)[0])
        room = min(limits.connections_max, files.own // FILES_SHARE)
        self._connections = ApiConnections(replace(limits, connections_max=room))
        self._answers = Tasks()
        self._closing = asyncio.Event()
        self._closed = asyncio.Event()
        self._running = False

    @property
    def url(self) -> str:
        """The URL of the port."""
        return self._url

    @property
    def on_loopback(self) -> bool:
        """True if only this machine can reach the port."""
        return self._on_loopback

    async def run(self, app: Asgi) -> None:
        """Serve the ASGI application `app` until `close`, then wait for cancellation."""
        self._running = True
        try:
            listening = await self._listen(lambda: ApiConnection(app, self._connections, self._answers))
            try:
                await self._closing.wait()
            finally:
                listening.close()
            for connection in self._connections:
                connection.stop()
            await self._answers.aclose(STOP_S)
            for connection in self._connections:
                connection.transport.abort()
        finally:
            self._closed.set()
        await asyncio.Event().wait()

    async def _listen(self, make_connection: Callable[[], ApiConnection]) -> Listening:
        if self.tls is None:
            return await listen_at(self._sockets, make_connection, BACKLOG)
        connections = self._connections
        arrivals = TlsArrivals(self.tls, lambda _: make_connection(), lambda: connections.limits.connections_max)
        return accept_by(lambda sock: TlsAcceptor(sock, BACKLOG, arrivals), self._sockets)

    def unbind(self) -> None:
        """Close the sockets of a port that was never served."""
        for each in self._sockets:
            each.close()

    async def close(self) -> None:
        """Stop serving; requests under way are answered. Idempotent."""
        if not self._running:
            self.unbind()
            return
        self._closing.set()
        await self._closed.wait()


def _bind(host: str, port: int, limits: PortLimits) -> list[socket.socket]:
    sockets: list[socket.socket] = []
    try:
        sockets = bind(host, port)
        for listener in sockets:
            listener.listen(BACKLOG)
    except OSError as error:
        for listener in sockets:
            listener.close()
        raise ConfigError(
            f"the {limits.port} {host}:{port} cannot be opened ({error.strerror or error}); "
            f"give another one with --{limits.section.replace('_', '-')}-port, or 0 for any free one"
        ) from None
    return sockets

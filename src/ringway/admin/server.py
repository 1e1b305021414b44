"""The admin port: a server of its own, inside the event loop of its process."""

import asyncio
import resource
import socket

from ringway.admin.admission import AdminConnections
from ringway.admin.config import AdminConfig
from ringway.admin.connection import AdminConnection, Asgi
from ringway.core.files import plan_files
from ringway.errors import ConfigError
from ringway.net.listening import bind, listen_at
from ringway.net.liveness import watch_peers_of
from ringway.protocol.address import show_host_port
from ringway.protocol.host import is_loopback
from ringway.tasks import Tasks

BACKLOG = 512
FILES_SHARE = 4
"""Of the descriptors that a process keeps for itself, one in so many is for the admin port."""

STOP_S = 1.0
"""How long answers under way may take once the port is closed."""


class AdminServer:
    """The admin port. The constructor binds it, so that `url` is known, and a port in use is reported at once."""

    def __init__(self, host: str, port: int, config: AdminConfig | None = None) -> None:
        config = config or AdminConfig()
        self._sockets = _bind(host, port)
        self._url = f"http://{show_host_port(*self._sockets[0].getsockname()[:2])}"
        self._on_loopback = all(is_loopback(each.getsockname()[0]) for each in self._sockets)
        watch_peers_of(self._sockets, config.tcp_keepalive_s)
        files = plan_files(resource.getrlimit(resource.RLIMIT_NOFILE)[0])
        self._connections = AdminConnections(
            min(config.connections_max, files.own // FILES_SHARE), config.request_deadline_s
        )
        self._answers = Tasks()
        self._closing = asyncio.Event()
        self._closed = asyncio.Event()
        self._running = False

    @property
    def url(self) -> str:
        """Where the admin port is."""
        return self._url

    @property
    def on_loopback(self) -> bool:
        """Whether only this machine can reach it."""
        return self._on_loopback

    async def run(self, app: Asgi) -> None:
        """Serve the ASGI application `app` until `close`, then wait to be cancelled."""
        self._running = True
        try:
            listening = await listen_at(
                self._sockets, lambda: AdminConnection(app, self._connections, self._answers), BACKLOG
            )
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

    async def close(self) -> None:
        """Stop serving; requests under way are answered. Idempotent."""
        if not self._running:
            for each in self._sockets:
                each.close()
            return
        self._closing.set()
        await self._closed.wait()


def _bind(host: str, port: int) -> list[socket.socket]:
    sockets: list[socket.socket] = []
    try:
        sockets = bind(host, port)
        for listener in sockets:
            listener.listen(BACKLOG)
    except OSError as error:
        for listener in sockets:
            listener.close()
        raise ConfigError(
            f"the admin port {host}:{port} cannot be opened ({error.strerror or error}); "
            "give another one with --admin-port, or 0 for any free one"
        ) from None
    return sockets

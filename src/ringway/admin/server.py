"""Serves the admin API on a port of its own, inside the event loop of its process."""

import asyncio
import contextlib
import resource
import socket
from collections.abc import Iterator
from typing import Any

import uvicorn

from ringway.admin.config import AdminConfig
from ringway.admin.listener import AdminConnections, protocol_of
from ringway.core.files import plan_files
from ringway.errors import ConfigError
from ringway.net.listening import bind
from ringway.net.liveness import watch_peers_of
from ringway.protocol.address import show_host_port
from ringway.protocol.host import is_loopback

BACKLOG = 512
FILES_SHARE = 4
"""Of the descriptors that a process keeps for itself, one in so many is for the admin port."""

STOP_S = 1


class _Server(uvicorn.Server):
    """uvicorn without hands on the process: signals are the composition root's."""

    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        yield


class AdminServer:
    """The admin port. It is bound when this is made, so that `url` is known and a port in use is told at once."""

    def __init__(self, host: str, port: int, config: AdminConfig | None = None) -> None:
        config = config or AdminConfig()
        self._sockets = _bind(host, port)
        watch_peers_of(self._sockets, config.tcp_keepalive_s)
        files = plan_files(resource.getrlimit(resource.RLIMIT_NOFILE)[0])
        self._connections = AdminConnections(
            min(config.connections_max, files.own // FILES_SHARE), config.request_deadline_s
        )
        self._server: _Server | None = None
        self._finished = asyncio.Event()

    @property
    def url(self) -> str:
        """Where the admin port is."""
        return f"http://{show_host_port(*self._sockets[0].getsockname()[:2])}"

    @property
    def on_loopback(self) -> bool:
        """Whether only this machine can reach it."""
        return all(is_loopback(each.getsockname()[0]) for each in self._sockets)

    async def run(self, app: Any) -> None:
        """Serve the ASGI application `app` until `close`, then wait to be cancelled."""
        config = uvicorn.Config(
            _with_head(app),
            loop="none",
            http=protocol_of(self._connections),
            ws="none",
            lifespan="on",
            log_config=None,
            log_level="warning",
            access_log=False,
            server_header=False,
            timeout_graceful_shutdown=STOP_S,
        )
        self._server = _Server(config)
        try:
            await self._server.serve(sockets=self._sockets)
        finally:
            self._finished.set()
        await asyncio.Event().wait()

    async def close(self) -> None:
        """Stop serving; requests under way are answered. Idempotent."""
        if self._server is None:
            for each in self._sockets:
                each.close()
            return
        self._server.should_exit = True
        await self._finished.wait()


def _with_head(app: Any) -> Any:
    """Return `app` with HEAD answered as GET is (RFC 9110, 9.3.2); uvicorn leaves the body out."""

    async def answer(scope: Any, receive: Any, send: Any) -> None:
        await app({**scope, "method": "GET"} if scope.get("method") == "HEAD" else scope, receive, send)

    return answer


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

"""Connection to a backend for plain requests: one exchange at a time, and idle between two of them."""

import asyncio
from collections.abc import Callable
from typing import Protocol, cast

from ringway.gateway.proxy.relay_end import TLS_HIGH_BYTES
from ringway.protocol.server_address import ServerAddress


class AnswerReader(Protocol):
    """What a connection tells the exchange that it carries."""

    def on_answer_data(self, data: bytes) -> None:
        """Read the next bytes of the answer."""

    def on_backend_end(self) -> None:
        """The backend has ended its stream in order."""

    def on_backend_lost(self) -> None:
        """The connection is over."""

    def on_backend_full(self) -> None:
        """Send no more of the request for the moment."""

    def on_backend_ready(self) -> None:
        """Go on sending the request."""


class BackendConnection(asyncio.Protocol):
    """One connection. `exchange` is the exchange that it carries; None: it is idle.

    An idle connection whose peer says anything is not used again: those bytes are the answer to no request. `on_over`
    is called once, when the connection is over.
    """

    __slots__ = ("_on_over", "address", "exchange", "is_used", "spare_until", "transport")

    transport: asyncio.Transport

    def __init__(self, address: ServerAddress, on_over: Callable[["BackendConnection"], None]) -> None:
        self.address = address
        self.exchange: AnswerReader | None = None
        self.is_used = False  # it has carried an exchange before
        self.spare_until = 0.0
        self._on_over = on_over

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Begin."""
        self.transport = cast(asyncio.Transport, transport)
        secure = transport.get_extra_info("sslcontext") is not None
        self.transport.set_write_buffer_limits(TLS_HIGH_BYTES if secure else 0)

    def data_received(self, data: bytes) -> None:
        """Pass the next bytes to the exchange."""
        exchange = self.exchange
        if exchange is not None:
            exchange.on_answer_data(data)
        else:
            self.transport.abort()

    def eof_received(self) -> bool:
        """Report the end of the backend's stream; the connection is closed with it."""
        if self.exchange is not None:
            self.exchange.on_backend_end()
        return False

    def connection_lost(self, exc: Exception | None) -> None:
        """Report that the connection is over."""
        exchange, self.exchange = self.exchange, None
        self._on_over(self)
        if exchange is not None:
            exchange.on_backend_lost()

    def pause_writing(self) -> None:
        """Report that the backend does not read as fast as is written."""
        if self.exchange is not None:
            self.exchange.on_backend_full()

    def resume_writing(self) -> None:
        """Report that the backend has read."""
        if self.exchange is not None:
            self.exchange.on_backend_ready()

"""Listener of a node's port: each socket begins as a `Handshake`, and gets picows' protocol when it is admitted.

Only the construction of picows' protocol by keyword goes beyond its documented API (2.3); it does the same as
`ws_create_server`.
"""

import socket
from collections.abc import Callable
from typing import Any, cast

from picows import WSUpgradeRequest, WSUpgradeResponseWithListener

from ringway.framing import FramingProtocol
from ringway.net.listening import Listening
from ringway.net.tls.listening import listen_for
from ringway.net.tls.server import PortTls
from ringway.net.unsent import bound_unsent
from ringway.node.config.node import NodeConfig
from ringway.node.connection.connection import Connection
from ringway.node.connection.flow import TURN_BYTES
from ringway.node.connection.handshake import AnswerRequest, Handshake
from ringway.node.connection.pending_handshakes import PendingHandshakes
from ringway.protocol.forwarded import read_networks
from ringway.protocol.proxy_header import Source

READ_BUFFER_BYTES = 2048
"""The initial read buffer, picows' minimum; it grows with long messages, and most clients send short ones."""


class _Protocol(FramingProtocol):
    """picows' protocol, which reports its end as a handshake, and reads `TURN_BYTES` in one turn of the event loop."""

    __slots__ = ("_pending",)

    def __init__(self, pending: PendingHandshakes, answer: Callable[..., Any], **settings: Any) -> None:
        super().__init__(answer, **settings)
        self._pending = pending

    def get_buffer(self, sizehint: int) -> memoryview:
        return super().get_buffer(sizehint)[: self._inflow.left or TURN_BYTES]

    def buffer_updated(self, nbytes: int) -> None:
        asked = self._inflow.left or TURN_BYTES
        super().buffer_updated(nbytes)
        if nbytes >= asked and not self._inflow.left and self.listener is not None:
            cast(Connection, self.listener).end_turn()

    def connection_lost(self, exc: Exception | None) -> None:
        self._pending.on_lost(self)
        super().connection_lost(exc)


async def listen(
    config: NodeConfig, pending: PendingHandshakes, answer_request: AnswerRequest, tls: PortTls | None = None
) -> Listening:
    """Listen on the node's port, with `tls` if it is given. Raise `OSError` if the port cannot be opened."""

    def make_protocol(answer: Callable[[WSUpgradeRequest], WSUpgradeResponseWithListener]) -> _Protocol:
        return _Protocol(
            pending,
            answer,
            is_client_side=False,
            message_bytes_max=config.message_bytes_max,
            read_buffer_bytes=READ_BUFFER_BYTES,
        )

    trusted = read_networks(config.trusted_proxies)

    def prepare(sock: socket.socket) -> None:  # accepted sockets inherit the option
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, config.receive_buffer_bytes)
        bound_unsent(sock, config.unsent_bytes_max)

    def make_handshake(source: Source | None) -> Handshake:
        return Handshake(config, pending, answer_request, make_protocol, trusted, source)

    return await listen_for(
        tls,
        make_handshake,
        config.host,
        config.port,
        config.backlog,
        prepare,
        room=pending.arrivals_max,
        trusted=trusted,
        proxy_bytes_max=config.head_bytes_max if config.proxy_protocol else 0,
    )

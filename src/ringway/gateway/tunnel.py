"""The open relay: two transports, two frame trackers, and how it ends.

Bytes pass as they come, in one call from reading to writing (`gateway.side`): no task, no queue of ours, no copy.

How a relay ends, by what is seen first:

    client's end of stream     passed on; the node has `close_answer_s` to come to its end
    node's end of stream       passed on after a close frame, else the client is told 1012 "node lost"
    close frames both ways     TCP must end within `linger_s`
    client breaks the framing  the client is told 1002, the node is cut off
    node breaks the framing    the client is told 1012, the node is cut off
    node left, gateway stops   the client is told 1012, the node is cut off (on a stop it is told 1001)

A close frame of ours can only go where no frame is half sent; else the connection is aborted, which every client
takes for what it is.
"""

import asyncio
from collections.abc import Callable

from ringway.core.load import NodeLoad
from ringway.errors import ProtocolError
from ringway.gateway.config import GatewayConfig
from ringway.gateway.side import Discard, Side
from ringway.gateway.stats import Stats
from ringway.protocol.close import PROTOCOL_ERROR, SERVICE_RESTART
from ringway.protocol.frame import CLOSE, FrameTracker, client_frame, close_payload, server_frame

GOING_AWAY = 1001


class Tunnel:
    """One proxied WebSocket, from the 101 until both connections are over; then `on_over` is called, once."""

    __slots__ = ("_config", "_cut", "_extensions", "_on_over", "_timer", "client", "load", "node", "stats")

    def __init__(
        self, load: NodeLoad, config: GatewayConfig, stats: Stats, on_over: Callable[["Tunnel"], None], extensions: bool
    ) -> None:
        self.load = load
        self.stats = stats
        self._config = config
        self._on_over = on_over
        self._timer: asyncio.TimerHandle | None = None
        self._cut = False
        self._extensions = extensions

    def open(self, client: asyncio.Transport, node: asyncio.Transport, early: bytes, rest: bytes) -> None:
        """Relay between the two from now on; `early` came from the client, `rest` from the node, with their heads."""
        self.client = Side(self, client, FrameTracker(masked=True, extensions=self._extensions))
        self.node = Side(self, node, FrameTracker(masked=False, extensions=self._extensions))
        self.client.join(self.node)
        self.node.join(self.client)
        if rest:
            self.node.data_received(rest)
        if early and not self._cut:
            self.client.data_received(early)
        for side in (self.client, self.node):
            waits = side.other.transport.get_write_buffer_size() > 0  # then reading goes on when it is written
            if not (self._cut or waits or side.transport.is_closing()):
                side.transport.resume_reading()

    def count(self) -> None:
        """Add what was carried since the last count to the statistics."""
        self.stats.bytes_to_node += self.client.carried
        self.stats.bytes_to_client += self.node.carried
        self.client.carried = self.node.carried = 0

    def framing_broken(self, side: Side, error: ProtocolError) -> None:
        """End the relay because `side` sent what is no WebSocket."""
        if side is self.client:
            self.cut(PROTOCOL_ERROR, str(error), "client_frame")
        else:
            self.cut(SERVICE_RESTART, "the node broke the protocol", "node_frame")

    def side_ended(self, side: Side) -> None:
        """Pass the end of one side's stream on to the other."""
        if self._cut:
            return
        other = side.other
        if side is self.node and not self.node.tracker.closed and not self.client.tracker.closed and not other.ended:
            self.cut(SERVICE_RESTART, "node lost", "node_lost")
            return
        if other.ended or side.lost:
            side.transport.close()
            other.transport.close()  # after what it has still to write
            self._deadline(self._config.linger_s)
            return
        if not other.transport.is_closing():
            if other.transport.can_write_eof():
                other.transport.write_eof()
                other.finished = True
            else:
                other.transport.close()
        both = self.client.tracker.closed and self.node.tracker.closed
        self._deadline(self._config.linger_s if both else self._config.close_answer_s)

    def side_lost(self) -> None:
        """Take note that a connection is over; when both are, so is the tunnel."""
        if not (self.client.lost and self.node.lost):
            return
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        self.count()
        self._on_over(self)

    def close_passed(self) -> None:
        """Bound the time that is left, after a close frame has passed in one direction or both."""
        both = self.client.tracker.closed and self.node.tracker.closed
        self._deadline(self._config.linger_s if both else self._config.close_answer_s)

    def cut(self, code: int, reason: str, cause: str) -> None:
        """End the relay now: tell the client why, and cut off the node."""
        if self._cut:
            return
        self._cut = True
        self.stats.cut[cause] += 1
        if cause == "stop" and not self.client.tracker.closed:
            self._tell(self.node, self.client.tracker, client_frame(CLOSE, close_payload(GOING_AWAY)))
        else:
            self.node.transport.abort()
        if self.node.tracker.closed:
            self._tell(self.client, self.node.tracker, b"")
        else:
            self._tell(self.client, self.node.tracker, server_frame(CLOSE, close_payload(code, reason)))
        self._deadline(self._config.linger_s)

    def abort(self) -> None:
        """End both connections at once."""
        self.client.transport.abort()
        self.node.transport.abort()

    def _tell(self, side: Side, sent: FrameTracker, goodbye: bytes) -> None:
        """Write `goodbye` and the end of the stream to `side`, if no frame is half `sent` there; else abort it."""
        transport = side.transport
        if transport.is_closing():
            return
        if not sent.at_boundary:
            transport.abort()
            return
        if not side.finished:
            transport.write(goodbye)
        if side.ended or not transport.can_write_eof():
            transport.close()
            return
        transport.set_protocol(Discard(side))
        if not side.finished:
            transport.write_eof()
        transport.resume_reading()

    def _deadline(self, delay_s: float) -> None:
        if self._timer is not None:
            self._timer.cancel()
        self._timer = asyncio.get_running_loop().call_later(delay_s, self._expire)

    def _expire(self) -> None:
        if not self._cut:
            self._cut = True
            self.stats.cut["deadline"] += 1
        self._timer = None
        self.abort()

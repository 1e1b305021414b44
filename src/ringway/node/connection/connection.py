"""Connection of one client: its incoming frames, its sends, and its end (its states are in `ending`).

A connection owns its socket, and reports to the parts of its context. Its handler processes its messages; once it was
sent off to its next node, its successor does. Tens of thousands of connections exist, so they have slots, share all
shareable data, and store no data for idle features.
"""

from collections.abc import Callable
from dataclasses import dataclass
from math import inf
from typing import cast

from picows import WSFrame, WSMsgType, WSTransport

from ringway.core.credentials import ANONYMOUS, Credentials
from ringway.core.move_candidates import PINNED
from ringway.errors import ProtocolError
from ringway.framing import FramingProtocol, free_heads
from ringway.logger import get_logger
from ringway.node.config.node import NodeConfig
from ringway.node.connection.allowance import Allowance, Pause
from ringway.node.connection.command_queue import CommandQueue, Goodbye
from ringway.node.connection.ending import ConnectionState
from ringway.node.connection.flow import nowhere
from ringway.node.connection.handler import ConnectionHandler, Identity
from ringway.node.connection.identified import IdentifiedSocket
from ringway.node.connection.keepalive import Beat, Keepalive
from ringway.node.connection.outbox import Outbox
from ringway.node.connection.pending_handshakes import PendingHandshakes
from ringway.node.connection.reading import has_reserved_bits
from ringway.node.connection.registry import ConnectionRegistry
from ringway.node.connection.subscriber import Send
from ringway.node.connection.successor import Successor
from ringway.node.stats import NodeStats
from ringway.protocol import closing
from ringway.protocol.close import INTERNAL, SERVICE_RESTART, SLOW
from ringway.protocol.closing import ClosingAction, ClosingEvent
from ringway.protocol.frame import CLOSE, TEXT, read_close
from ringway.protocol.frame import PING as PING_OPCODE
from ringway.protocol.message import check_control, check_whole
from ringway.protocol.move import BY_CLOSE, Move
from ringway.types import Channel

_log = get_logger()


@dataclass(frozen=True, slots=True)
class ConnectionContext:
    """The parts of a node to which each of its connections reports."""

    config: NodeConfig
    clock: Callable[[], float]
    stats: NodeStats
    handshakes: PendingHandshakes
    registry: "ConnectionRegistry[Connection]"
    keepalive: Keepalive
    outbox: Outbox


class Connection(IdentifiedSocket):
    """A client's connection; made when its handshake is admitted, used by picows from then on."""

    __slots__ = (
        "_context",
        "_handler",
        "_successor",
        "address",
        "allowance",
        "beat",
        "channels",
        "command_queue",
        "ends_at",
        "follows",
        "headers",
        "heard_at",
        "key",
        "moved_at",
        "slot",
    )

    def __init__(
        self, context: ConnectionContext, handler: "ConnectionHandler[Connection]", identity: Identity, now: float
    ) -> None:
        super().__init__()
        second = context.registry.second
        self._context = context
        self._handler = handler
        self._successor: Successor | None = None  # only while its session leaves
        self.allowance = Allowance(context.config, now)
        self.address = identity.address
        self.key = identity.key
        self.follows = identity.follows
        self.headers = identity.headers
        self.moved_at = PINNED if identity.is_pinned else second + 1 if identity.is_moved else None
        self.heard_at = second  # the time of the last frame with commands
        self.channels: list[Channel] = []  # short, so that a list is smaller than a set and as fast
        self.command_queue: CommandQueue | None = None  # only while a command awaits the engine
        self.slot = -1  # this and the next two are the keepalive's (`keepalive.Timed`)
        self.beat = Beat.EXPECTED
        self.ends_at = inf

    @property
    def setup_cost(self) -> int:
        """The cost of its setup at the target (`core.move_candidates`)."""
        return len(self.channels)

    @property
    def may_leave(self) -> bool:
        """True if it can be moved away: it is connected, its end has not begun, and it is not being moved."""
        return self._successor is None and self.is_staying

    # calls of picows

    def on_ws_connected(self, transport: WSTransport) -> None:
        """Begin: the handshake was answered."""
        context = self._context
        self._transport = transport
        self.send = self._direct()
        free_heads(transport)
        underlying = transport.underlying_transport
        underlying.set_write_buffer_limits(high=context.outbox.high_water_bytes)
        now = context.clock()
        context.handshakes.on_answered(cast("FramingProtocol", underlying.get_protocol()), now)
        context.registry.on_opened(self, now)
        context.stats.accepted += 1
        context.keepalive.on_opened(self, now)
        self._handler.on_opened(self)

    def on_ws_frame(self, transport: WSTransport, frame: WSFrame) -> None:
        """Handle one frame. Any error ends this connection, and no other."""
        if self._state is ConnectionState.OVER and self._successor is None:
            self._handler.on_ignored(self, frame.payload_size)
            return
        self._context.stats.frames_in += 1
        opcode = cast(int, frame.msg_type)  # an IntEnum, though its stub says otherwise
        if self._state is ConnectionState.OVER or self._closing is not closing.ClosingState.OPEN:
            self._on_late_frame(opcode, frame)
            return
        try:
            if opcode == TEXT and frame.fin and self._assembler is None and not has_reserved_bits(frame):
                payload = frame.get_payload_as_bytes()
                check_whole(TEXT, payload, self._context.config.message_bytes_max)
                self._handler.on_message(self, payload)
            elif opcode >= CLOSE:
                self._on_control_frame(opcode, frame)
            else:
                self._on_fragment(opcode, frame)
        except ProtocolError as error:
            self.on_ws_breach(error)
        except Exception:
            _log.exception("a frame was not handled", client=self.client)
            self.close(INTERNAL, "internal server error")

    def on_ws_close(self, payload: bytes) -> None:
        """Answer the client's close frame, after its earlier messages; or record that it has answered this node's."""
        try:
            code, reason = read_close(payload)
        except ProtocolError as error:
            self.on_ws_breach(error)
            return
        if self._successor is not None and not self.is_usable:
            self._successor.on_close(code, reason)
        self._on_end(ClosingEvent.CLOSE, Goodbye(code))

    def on_ws_breach(self, error: ProtocolError) -> None:
        """Close because the client broke the protocol, after its earlier messages."""
        if self._successor is not None and not self.is_usable:
            self._successor.on_close(error.close_code, "")
        self._on_end(ClosingEvent.BREACH, Goodbye(error.close_code, str(error), is_answer=False))

    def on_ws_disconnected(self, transport: WSTransport) -> None:
        """End: the socket is closed. Its descriptor must not be used, since it can belong to a new socket now."""
        context = self._context
        self._step(ClosingEvent.LOST)
        self.stop_waiting(drop=True)
        self._end()
        context.keepalive.forget(self)
        context.outbox.on_resumed(self)
        context.registry.on_gone(self)
        self._transport = None
        self.send = nowhere
        if self._successor is not None:
            self._successor.on_lost()

    def pause_writing(self) -> None:
        """Let frames wait here: the client reads too slowly."""
        if self.is_usable:
            self.let_wait()
        self._context.outbox.on_paused(self)

    def resume_writing(self) -> None:
        """Pass waiting frames on: the client catches up."""
        if self.pass_on(self._context.outbox.high_water_bytes):
            self._context.outbox.on_resumed(self)

    def end_turn(self) -> None:
        """Give other clients their turn: this client has sent as many bytes as one turn allows, and maybe more."""
        self.let_others(self.allowance.end_turn())

    # calls of the node

    def accept(self, client: str, credentials: Credentials = ANONYMOUS) -> None:
        """Become connected, as `client` with `credentials`."""
        self.credentials = credentials
        self._connect(client)
        self._context.keepalive.on_connected(self, self._context.clock())

    def resume(
        self,
        client: str,
        handler: "ConnectionHandler[Connection]",
        credentials: Credentials = ANONYMOUS,
        *,
        ping_in_s: float,
        ends_in_s: float,
    ) -> None:
        """Become connected, as the client of a session from a different node; `handler` handles its messages.

        A connection that is over gets its client's identity only, for the client's earlier messages.
        """
        now = self._context.clock()
        self._handler = handler
        self.client, self.credentials = client, credentials
        if not self.is_usable:
            return
        self.ends_at = now + ends_in_s
        self._connect(client)
        if not self.is_closing:
            self._context.keepalive.on_resumed(self, ping_in_s, now)

    def on_pong(self) -> None:
        """Record that the client has answered a ping."""
        if self.beat is Beat.PINGED:
            self.beat = Beat.ANSWERED

    def on_heard(self) -> None:
        """Record that the client has sent commands."""
        self.heard_at = self._context.registry.second

    def open_command_queue(self) -> CommandQueue:
        """Let messages wait from now on: a command awaits the engine."""
        self.command_queue = CommandQueue()
        return self.command_queue

    def close_command_queue(self) -> None:
        """End the waiting of messages."""
        self.command_queue = None
        self.resume_reading(Pause.QUEUE)

    def may_publish(self, channel: Channel) -> bool:
        """True if the client may publish to `channel` now (`Allowance.publish`)."""
        return self.allowance.publish(self._context.clock(), channel)

    def charge_answer(self, size: int) -> None:
        """Charge the client for an answer of `size` bytes (`Allowance.answer`)."""
        self.allowance.answer(self._context.clock(), size)

    def answer_due_s(self) -> float:
        """Return the wait before the client's next long answer, in seconds."""
        return self.allowance.answer_due_s(self._context.clock())

    def reply(self, replies: list[bytes]) -> None:
        """Send the replies to one frame, in one frame."""
        if not replies:
            return
        message = replies[0] if len(replies) == 1 else b"\n".join(replies)
        if self.is_usable:
            self._context.outbox.send(self, message)
        elif self._successor is not None:
            self._successor.keep_reply(message)

    def close(self, code: int, reason: str = "", *, silently: bool = False) -> None:
        """Close with `code`: leave all channels at once, and the socket when the client has answered.

        `silently`: no leaves are published, for the session goes on elsewhere.
        """
        if not self.is_usable:
            return
        if code == SLOW:
            self.stop_waiting(drop=True)
        self._end(silently=silently)
        self._context.stats.closed[code] += 1
        self._send_close(code, reason)

    def say_goodbye(self, goodbye: Goodbye) -> None:
        """Close because the client closed or broke the protocol: its earlier commands were carried out."""
        if goodbye.is_answer:
            self._end()
            self._send_close(goodbye.code)
        else:
            self.close(goodbye.code, goodbye.reason)

    def begin_move(self, successor: Successor) -> None:
        """Let `successor` receive the client's messages after `send_off`. It prevents a second move until its end."""
        self._successor = successor

    def end_move(self) -> None:
        """Forget the successor: it has all messages, or the client stays."""
        self._successor = None

    def send_off(self, move: Move) -> None:
        """Send the client the move, in the form that it asked for. It is the last message to the client.

        Its session moves with it, so no leaves are published.
        """
        if self.follows == BY_CLOSE:
            self.close(SERVICE_RESTART, move.reason(), silently=True)
        elif self.is_usable:
            self._end(silently=True)
            self._context.stats.closed[SERVICE_RESTART] += 1
            if self._transport is not None:
                self._transport.send(cast(WSMsgType, TEXT), f"{self.follows} {move.reason()}".encode())

    def cut(self) -> None:
        """Close the socket without waiting for the client."""
        if self._transport is not None:
            self._context.stats.cut += 1
            self._transport.disconnect(graceful=False)

    def ping_in_s(self) -> float:
        """Return the time until the client's next ping (`Keepalive.ping_in_s`)."""
        return self._context.keepalive.ping_in_s(self, self._context.clock())

    def ends_in_s(self) -> float:
        """Return the time until the end of its life; infinite without an age limit."""
        return max(0.0, self.ends_at - self._context.clock())

    def _connect(self, client: str) -> None:
        self.client = client
        self._state = ConnectionState.CONNECTED
        self._context.registry.on_connected(self)

    def _end(self, *, silently: bool = False) -> None:
        """Leave all channels, drop waiting messages, and expect the socket's end. Idempotent."""
        if not self.is_usable:
            return
        context = self._context
        context.registry.on_closing(self, was_connected=self._state is ConnectionState.CONNECTED)
        self._state = ConnectionState.OVER
        self._handler.on_ended(self, silently=silently)
        self.stop_waiting()
        if self._successor is None:
            self._assembler = None
        context.keepalive.on_closing(self, context.clock())
        context.outbox.on_ended(self)
        self.resume_reading(Pause.OWED)  # its answer must be read

    def _send_by(self, send: Send) -> None:
        self.send = send
        self._handler.on_redirected(self)

    # frames

    def _on_late_frame(self, opcode: int, frame: WSFrame) -> None:
        """Store the client's messages between the cut and its answer, for the session's next node."""
        successor = self._successor
        if self._step(ClosingEvent.FRAME) is ClosingAction.IGNORE or successor is None or not successor.is_keeping:
            self._handler.on_ignored(self, frame.payload_size)
            return
        try:
            if opcode < CLOSE:
                message = self._assemble(opcode, frame, self._context.config)
                if message is not None and not successor.keep_message(message):
                    successor.on_lost()
                    self.cut()
        except ProtocolError:
            successor.on_lost()
            self.cut()

    def _on_fragment(self, opcode: int, frame: WSFrame) -> None:
        self._handler.on_frame(self)
        message = self._assemble(opcode, frame, self._context.config) if self.is_usable else None
        if message is not None:
            self._handler.on_message(self, message)

    def _on_control_frame(self, opcode: int, frame: WSFrame) -> None:
        payload = frame.get_payload_as_bytes()
        check_control(opcode, payload, fin=bool(frame.fin), rsv=has_reserved_bits(frame))
        if self._handler.on_frame(self) and opcode == PING_OPCODE and self._transport is not None:
            self._transport.send_pong(payload)
            if self.waiting_bytes() > self._context.config.outbox_bytes_max:
                self._context.outbox.check()

    # the end (`protocol.closing`)

    def _on_end(self, event: ClosingEvent, goodbye: Goodbye) -> None:
        """The client's half is over, by a close frame or a breach: its later messages do not count."""
        action = self._step(event)
        if action is ClosingAction.END_TCP:
            self._end_stream()
        elif action not in (ClosingAction.REPLY, ClosingAction.FAIL):
            return
        elif not self.is_usable:
            self._send_close(goodbye.code, goodbye.reason)  # after a move by message the client closes first
        else:
            self._context.keepalive.on_closing(self, self._context.clock())
            self._handler.on_goodbye(self, goodbye)

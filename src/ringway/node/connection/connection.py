"""One client's connection: its states, the frames that come in, and its end.

    WAITING ──connect──▶ CONNECTED ──end()──▶ OVER
       └──────────────────end()───────────────▶┘

Beside that, how far the WebSocket has come to its end is a state of `protocol.closing`. The two meet where the client
closes, or breaks the protocol, while commands of it wait for the engine: the WebSocket is CLOSE_DUE then, and the
connection stays what it is until they are carried out (`worker.Backlog.goodbye`).

What commands do is in `commands`, in what order in `worker`, deadlines in `keepalive`, what waits to be sent in
`outbox`. Tens of thousands of these exist: slots, nothing that can be shared, and nothing for features that are idle.
"""

import enum
from math import inf
from typing import TYPE_CHECKING, cast

import structlog
from picows import WSFrame, WSMsgType, WSTransport

from ringway.core.handover import DonorState
from ringway.core.move_candidates import PINNED
from ringway.errors import ProtocolError
from ringway.framing import FramingProtocol, free_heads
from ringway.node.commands.queue import Backlog, Goodbye
from ringway.node.commands.subscribe import leave
from ringway.node.connection.allowance import Allowance, Pause
from ringway.node.connection.flow import FlowingSocket, nowhere
from ringway.node.connection.keepalive import Beat
from ringway.protocol import closing
from ringway.protocol.close import (
    INTERNAL,
    SERVICE_RESTART,
    SLOW,
    UNSUPPORTED_DATA,
)
from ringway.protocol.closing import ClosingAction, ClosingEvent
from ringway.protocol.command import ClientInfo
from ringway.protocol.frame import CLOSE, TEXT, read_close
from ringway.protocol.frame import PING as PING_OPCODE
from ringway.protocol.message import MessageAssembler, check_control, check_whole
from ringway.protocol.move import BY_CLOSE, Move
from ringway.types import Channel

if TYPE_CHECKING:
    from ringway.core.session import Session
    from ringway.member.admission import Admitted
    from ringway.node.connection.outbox import Send
    from ringway.node.sessions.donor import Handover
    from ringway.node.shared import Shared

_log = structlog.get_logger()


class State(enum.Enum):
    """What the client of a connection may do."""

    WAITING = enum.auto()  # upgraded; the connect command must come first
    CONNECTED = enum.auto()
    OVER = enum.auto()  # it has left all channels; no command is answered any more


class Connection(FlowingSocket):
    """A client's connection; made when its handshake is admitted, used by picows from then on."""

    __slots__ = (
        "_assembler",
        "_shared",
        "_state",
        "address",
        "allowance",
        "arrival",
        "backlog",
        "beat",
        "channels",
        "client",
        "ends_at",
        "follows",
        "handover",
        "heard_at",
        "key",
        "moved_at",
        "slot",
    )

    def __init__(self, shared: "Shared", admitted: "Admitted", now: float) -> None:
        super().__init__()
        self._shared = shared
        self._state = State.WAITING
        self._assembler: MessageAssembler | None = None  # only while a fragmented message is on its way
        self.allowance = Allowance(shared.config, now)
        self.address = admitted.address  # as it is counted (core.address)
        self.key = admitted.key
        self.moved_at = PINNED if admitted.pinned else shared.second + 1 if admitted.moved else None
        self.heard_at = shared.second  # when the last frame with commands came
        self.ends_at = inf  # when its life ends, by the keepalive
        self.client = ""
        self.channels: list[Channel] = []  # short, so that a list is smaller than a set and as fast
        self.backlog: Backlog | None = None  # only while a command awaits the engine
        self.follows = admitted.follows  # how it is told of a move that its session goes along with, if at all
        self.arrival = admitted.arrival  # the ticket's nonce, where a session of another node goes on here
        self.handover: Handover | None = None  # only while its session leaves
        self.slot = -1  # in the keepalive's wheel
        self.beat = Beat.EXPECTED

    @property
    def is_connected(self) -> bool:
        """Whether the connect command was accepted, and the connection is not over."""
        return self._state is State.CONNECTED

    @property
    def may_leave(self) -> bool:
        """Whether it can be moved to another node: it is connected, stays so, and is not being moved."""
        return self._state is State.CONNECTED and self.handover is None and not self.is_closing

    @property
    def is_closing(self) -> bool:
        """Whether its end has begun, by whomever."""
        return self._state is State.OVER or self._closing is not closing.ClosingState.OPEN

    @property
    def is_usable(self) -> bool:
        """Whether commands are carried out and replies sent."""
        return self._state is not State.OVER

    @property
    def info(self) -> ClientInfo:
        """Who this is, as others are told."""
        return ClientInfo(user="", client=self.client)

    # what picows calls

    def on_ws_connected(self, transport: WSTransport) -> None:
        """Begin: the handshake was answered."""
        shared = self._shared
        self._transport = transport
        self.send = self._direct()
        free_heads(transport)
        underlying = transport.underlying_transport
        underlying.set_write_buffer_limits(high=shared.outbox.high_water_bytes)
        now = shared.clock()
        shared.gate.answered(cast("FramingProtocol", underlying.get_protocol()), now)
        shared.roster.arrived(self, now)
        shared.stats.accepted += 1
        shared.keepalive.arrived(self, now)
        if self.arrival is not None:
            self.backlog = Backlog()  # what the client sends waits until its session is here
            shared.arrivals.came(self.arrival, self)

    def on_ws_frame(self, transport: WSTransport, frame: WSFrame) -> None:
        """Take one frame. Whatever goes wrong costs this connection, and no other."""
        if self._state is State.OVER and self.handover is None:
            self._shared.intake.ignore(self, frame.payload_size)
            return
        self._shared.stats.frames_in += 1
        opcode = cast(int, frame.msg_type)  # an IntEnum, whatever its stub says
        if self._state is State.OVER or self._closing is not closing.ClosingState.OPEN:
            self._late(opcode, frame)
            return
        try:
            if opcode == TEXT and frame.fin and self._assembler is None and not _rsv(frame):
                payload = frame.get_payload_as_bytes()
                check_whole(TEXT, payload, self._shared.config.message_bytes_max)
                self._shared.intake.take(self, payload)
            elif opcode >= CLOSE:
                self._control(opcode, frame)
            else:
                self._fragment(opcode, frame)
        except ProtocolError as error:
            self.on_ws_breach(error)
        except Exception:
            _log.exception("a frame was not handled", client=self.client)
            self.close(INTERNAL, "internal server error")

    def on_ws_close(self, payload: bytes) -> None:
        """Answer the client's close frame, after what it sent before; or take it for the answer to ours."""
        try:
            code, reason = read_close(payload)
        except ProtocolError as error:
            self.on_ws_breach(error)
            return
        if self.handover is not None and not self.is_usable:
            self.handover.answered(code, reason)
        self._take_end(ClosingEvent.CLOSE, Goodbye(code))

    def on_ws_breach(self, error: ProtocolError) -> None:
        """Close because the client broke the protocol, after what it sent before."""
        if self.handover is not None and not self.is_usable:
            self.handover.lost()
        self._take_end(ClosingEvent.BREACH, Goodbye(error.close_code, str(error), is_answer=False))

    def on_ws_disconnected(self, transport: WSTransport) -> None:
        """End: the socket is closed, and nothing may be sent to its descriptor, which can be another's from now on."""
        self._step(ClosingEvent.LOST)
        self.stop_waiting(drop=True)
        self.end()
        self._shared.keepalive.forget(self)
        self._shared.outbox.resumed(self)
        self._shared.roster.gone(self)
        self._transport = None
        self.send = nowhere
        if self.handover is not None:
            self.handover.lost()

    def pause_writing(self) -> None:
        """Take note that the client reads slower than it is sent to."""
        if self.is_usable:
            self.let_wait()
        self._shared.outbox.paused(self)

    def resume_writing(self) -> None:
        """Take note that it catches up."""
        if self.pass_on(self._shared.outbox.high_water_bytes):
            self._shared.outbox.resumed(self)

    # what the node calls

    def welcome(self, client: str) -> None:
        """Become connected, as `client`."""
        self._connected(client)
        self._shared.keepalive.connected(self, self._shared.clock())

    def resume(self, session: "Session") -> None:
        """Become connected, as the client of a session that was another node's."""
        now = self._shared.clock()
        self.arrival = None
        self.ends_at = now + session.ends_in_s
        self._connected(session.client)
        if not self.is_closing:
            self._shared.keepalive.resumed(self, session.ping_in_s, now)

    def _connected(self, client: str) -> None:
        self.client = client
        self._state = State.CONNECTED
        self._shared.roster.welcomed(self)

    def reply(self, replies: list[bytes]) -> None:
        """Send what answers one frame, in one frame."""
        if not replies:
            return
        message = replies[0] if len(replies) == 1 else b"\n".join(replies)
        if self.is_usable:
            self._shared.outbox.send(self, message)
        elif self.handover is not None:
            self.handover.reply(message)

    def close(self, code: int, reason: str = "", *, silently: bool = False) -> None:
        """Close with `code`: leave all channels at once, and the socket when the client has answered.

        `silently`: nobody is told that the client leaves its channels, for its session goes on elsewhere.
        """
        if not self.is_usable:
            return
        if code == SLOW:
            self.stop_waiting(drop=True)
        self.end(silently=silently)
        self._shared.stats.closed[code] += 1
        self._send_close(code, reason)

    def depart(self, goodbye: "Goodbye") -> None:
        """End as the client wished, or deserved: everything that it had sent before was carried out."""
        if goodbye.is_answer:
            self.end()
            self._send_close(goodbye.code)
        else:
            self.close(goodbye.code, goodbye.reason)

    def send_off(self, move: Move) -> None:
        """Tell the client to go on elsewhere, in the way that it asked for: nothing is sent after that.

        Its session goes along, so nobody is told that it leaves its channels.
        """
        if self.follows == BY_CLOSE:
            self.close(SERVICE_RESTART, move.reason(), silently=True)
        elif self.is_usable:
            self.end(silently=True)
            self._shared.stats.closed[SERVICE_RESTART] += 1
            if self._transport is not None:
                self._transport.send(cast(WSMsgType, TEXT), f"{self.follows} {move.reason()}".encode())

    def cut(self) -> None:
        """Close the socket without waiting for anybody."""
        if self._transport is not None:
            self._shared.stats.cut += 1
            self._transport.disconnect(graceful=False)

    def end(self, *, silently: bool = False) -> None:
        """Take no more part: leave all channels, forget what waits, and expect the socket's end. Idempotent."""
        if not self.is_usable:
            return
        shared = self._shared
        shared.roster.closing(self, was_connected=self._state is State.CONNECTED)
        self._state = State.OVER
        for channel in list(self.channels):
            leave(shared, self, channel, silently=silently)
        self.stop_waiting()
        if self.handover is None:
            self._assembler = None
        else:
            self.handover.closing()
        shared.keepalive.closing(self, shared.clock())
        shared.outbox.awake(self)
        self.resume_reading(Pause.ANY)  # else its answer is not seen
        if self.arrival is not None:
            shared.arrivals.lost(self.arrival)

    def _send_by(self, send: "Send") -> None:
        self.send = send
        for channel in self.channels:
            self._shared.hub.add(channel, self, send)
            if self._shared.watchers.has(channel, self):
                self._shared.watchers.add(channel, self, send)

    # frames

    def _late(self, opcode: int, frame: WSFrame) -> None:
        """Keep what the client sends between the cut and its answer for the node that its session goes to."""
        handover = self.handover
        if (
            self._step(ClosingEvent.FRAME) is ClosingAction.IGNORE
            or handover is None
            or handover.state is DonorState.OVER
        ):
            self._shared.intake.ignore(self, frame.payload_size)
            return
        try:
            if opcode < CLOSE:
                message = self._assemble(opcode, frame)
                if message is not None and not handover.keep(message):
                    handover.lost()
                    self.cut()
        except ProtocolError:
            handover.lost()
            self.cut()

    def _fragment(self, opcode: int, frame: WSFrame) -> None:
        self._shared.intake.admit(self, 1)
        message = self._assemble(opcode, frame) if self.is_usable else None
        if message is not None:
            self._shared.intake.take(self, message)

    def _assemble(self, opcode: int, frame: WSFrame) -> bytes | None:
        """Take one data frame; return the text message that it completes, if it does."""
        config = self._shared.config
        if self._assembler is None:
            self._assembler = MessageAssembler(config.message_bytes_max, config.fragments_max)
        fin = bool(frame.fin)
        message = self._assembler.feed(opcode, frame.get_payload_as_bytes(), fin=fin, rsv=_rsv(frame))
        if message is None:
            return None
        self._assembler = None
        if message[0] != TEXT:
            raise ProtocolError(UNSUPPORTED_DATA, "a binary message; this protocol is text, JSON")
        return message[1]

    def _control(self, opcode: int, frame: WSFrame) -> None:
        payload = frame.get_payload_as_bytes()
        check_control(opcode, payload, fin=bool(frame.fin), rsv=_rsv(frame))
        if self._shared.intake.admit(self, 1) and opcode == PING_OPCODE and self._transport is not None:
            self._transport.send_pong(payload)
            if self.waiting_bytes() > self._shared.config.outbox_bytes_max:
                self._shared.outbox.check()

    # the end (see `protocol.closing`)

    def _take_end(self, event: ClosingEvent, goodbye: Goodbye) -> None:
        """The client's half is over, by a close frame or a breach: nothing that it sends counts any more."""
        action = self._step(event)
        if action is ClosingAction.END_TCP:
            self._end_stream()
        elif action not in (ClosingAction.REPLY, ClosingAction.FAIL):
            return
        elif not self.is_usable:
            self._send_close(goodbye.code, goodbye.reason)  # a message told it to go, and it closes first
        else:
            if self.backlog is not None:
                self._shared.keepalive.closing(self, self._shared.clock())
            if self.handover is not None:
                self.handover.closing()
            self._shared.workers.take_goodbye(self, goodbye)


def _rsv(frame: WSFrame) -> bool:
    return bool(frame.rsv1 or frame.rsv2 or frame.rsv3)

"""Wire of a client: one WebSocket, with whole messages in and out and an orderly end.

picows splits the stream into frames and masks outgoing ones (`framing`). Messages, control frames and the close
handshake are checked here, by `protocol.message` and `protocol.closing`. The classes above a wire (`Socket`,
`ChannelLink`) are its receivers.

A wire that follows moves outlives its connection: between two connections it stays open and holds outgoing messages
(`passage`).
"""

import asyncio
from typing import Protocol, cast

import picows

from ringway.client.backpressure import Backpressure
from ringway.client.passage import Passage
from ringway.client.reconnect import move_of
from ringway.errors import ConnectionClosed, ProtocolError, UpgradeError
from ringway.framing import EndListener
from ringway.net.half_close import end_stream
from ringway.protocol import closing
from ringway.protocol.close import ABNORMAL, SERVICE_RESTART
from ringway.protocol.closing import ClosingAction, ClosingEvent, ClosingState
from ringway.protocol.frame import BINARY, PONG, close_payload, read_close
from ringway.protocol.message import MessageAssembler
from ringway.protocol.move import Move
from ringway.tasks import Tasks
from ringway.types import NodeName


class Receiver(Protocol):
    """The class above a wire. Called in the event loop; must not block."""

    def opened(self, wire: "Wire") -> None:
        """Receive the wire, before its first message."""
        ...

    def received(self, opcode: int, payload: bytes) -> None:
        """Receive a whole message."""
        ...

    def ponged(self, payload: bytes) -> None:
        """Receive the payload of a pong."""
        ...

    def moved(self, node: NodeName) -> None:
        """The connection goes on at `node`; unanswered pings will not be answered."""
        ...

    def closed(self, code: int, reason: str) -> None:
        """The connection is over. Called once, after the last message, for every wire that was opened."""
        ...


class MoveFollower(Protocol):
    """The port by which a wire follows moves."""

    held_bytes_max: int
    """Bytes that a wire holds during a move; with more than that, the move is given up."""

    async def go(self, wire: "Wire", move: Move) -> None:
        """Connect `wire` to the node that `move` names; raise if that fails."""
        ...

    def see_off(self, transport: picows.WSTransport) -> None:
        """Collect the failure, if any, of a connection that a wire has left."""
        ...


class Wire(EndListener):
    """One WebSocket. `opener.open_wire` makes it; `finish` or `cut` ends it. With `follow` it obeys moves.

    `Receiver.closed` is called as soon as a close frame is answered: the server ends the TCP connection behind it.
    """

    def __init__(
        self, receiver: Receiver, message_bytes_max: int, close_timeout_s: float, follow: MoveFollower | None = None
    ) -> None:
        self.close_code: int | None = None
        self.close_reason = ""
        self.failure: BaseException | None = None
        """The failure on this side that ended the wire; None if the peer ended it."""
        self.subprotocol: str | None = None
        self._receiver = receiver
        self._assembler = MessageAssembler(message_bytes_max)
        self._close_timeout_s = close_timeout_s
        self._loop = asyncio.get_running_loop()
        self._transport: picows.WSTransport | None = None
        self._state = ClosingState.OPEN  # of the present connection
        self._ending: asyncio.TimerHandle | None = None
        self._gone: asyncio.Future[None] = self._loop.create_future()
        self._pressure = Backpressure()
        self._reading = True
        self._follow = follow
        self._passage: Passage | None = None
        self._tasks = Tasks()

    @property
    def is_open(self) -> bool:
        """True if messages may be sent."""
        if self._passage is not None:
            return self._passage.closing is None
        return self._transport is not None and self.close_code is None and self._state is ClosingState.OPEN

    @property
    def unsent_bytes(self) -> int:
        """Bytes that were sent and that the operating system has not accepted yet."""
        return self._transport.underlying_transport.get_write_buffer_size() if self._transport is not None else 0

    def send(self, opcode: int, payload: bytes) -> None:
        """Send one message or ping in one frame, or hold it; raise `ConnectionClosed` if the wire is over."""
        if not self.is_open:
            raise ConnectionClosed(self.close_code or ABNORMAL, self.close_reason) from self.failure
        if self._passage is not None:
            self._passage.hold(opcode, payload)
            if self._passage.is_full:
                self._pressure.stop_writers()
        elif self._transport is not None:
            self._transport.send(picows.WSMsgType(opcode), payload)

    def send_newest(self, opcode: int, payload: bytes) -> None:
        """Send an answer of which only the newest matters; while the peer does not read, the earlier one is dropped.

        So the requests of a peer cost no memory (RFC 6455, 5.5.3, of pongs).
        """
        if self._pressure.congested:
            self._pressure.replace_newest(opcode, payload)
        elif self._transport is not None:
            self._transport.send(picows.WSMsgType(opcode), payload)

    async def drain(self) -> None:
        """Wait while the transport's buffer is full: this slows a writer down to the peer's pace."""
        await self._pressure.wait_room()

    def read(self, wanted: bool) -> None:
        """Read on, or leave arriving bytes in the kernel, which stops the peer in the end."""
        self._reading = wanted
        if self._transport is None or self._transport.is_disconnected:
            return
        transport = self._transport.underlying_transport
        if wanted:
            transport.resume_reading()
        else:
            transport.pause_reading()

    def finish(self, code: int, reason: str = "") -> None:
        """Begin the close handshake, behind all earlier messages; during a move, at its end. Idempotent.

        If the server has not answered within the close timeout, the connection is cut. If messages are held, the
        timeout begins at the end of the move, which has a deadline of its own.
        """
        if not self.is_open:
            return
        if self._passage is not None:
            self._passage.closing = close_payload(code, reason)
            if self._passage.is_empty:
                self._expire_later()
            return
        self._send_close(close_payload(code, reason))
        self._expire_later()
        self.read(True)  # the answer must be read

    def fail(self, error: ProtocolError) -> None:
        """End the connection because the peer broke the protocol, or does not answer; the close has the reason."""
        if self._transport is None:
            self.cut()
            return
        if self.failure is not None:
            return
        self.failure = error
        self._send_close(close_payload(error.close_code, str(error)))
        self._end(ABNORMAL, "")

    def cut(self) -> None:
        """End the connection at once, without a close frame."""
        if self._transport is not None:
            self._transport.disconnect(graceful=False)
        elif self._passage is not None:
            self._passage.task.cancel()
            self._end(ABNORMAL, "")

    async def wait_gone(self) -> None:
        """Return when the TCP connection is over."""
        await asyncio.shield(self._gone)

    def _end(self, code: int, reason: str) -> None:
        if self.close_code is not None or (self._transport is None and self._passage is None):
            return
        self.close_code = code
        self.close_reason = reason
        self._passage = None
        if self._transport is None:
            self._over()
        else:
            self._expire_later()
            self._end_stream(self._transport)
        self._pressure.release_writers()
        self._receiver.closed(code, reason)

    def _expire_later(self) -> None:
        if self._ending is None:
            self._ending = self._loop.call_later(self._close_timeout_s, self.cut)

    def _end_stream(self, transport: picows.WSTransport) -> None:
        """End the sending half, and let the server end TCP: it may have unread bytes.

        A close here would answer further bytes of the server with a reset, which destroys the server's unread bytes.
        """
        if transport.is_disconnected:
            return
        underlying = transport.underlying_transport
        if underlying.can_write_eof():
            underlying.resume_reading()
        if not end_stream(underlying):
            transport.disconnect()

    def _over(self) -> None:
        if self._ending is not None:
            self._ending.cancel()
        if not self._gone.done():
            self._gone.set_result(None)

    def _step(self, event: ClosingEvent) -> ClosingAction:
        action, self._state = closing.step(self._state, event)
        return action

    def _send_close(self, payload: bytes) -> None:
        if self._transport is not None and self._step(ClosingEvent.CLOSE_HERE) is ClosingAction.SEND_CLOSE:
            self._transport.send(picows.WSMsgType.CLOSE, payload)

    # A move, from the close frame that names its target to the first frame on the next connection.

    def _leave(self, move: Move, follow: MoveFollower) -> None:
        """Leave the connection whose close frame is answered, and connect to the target of `move`."""
        transport, self._transport = self._transport, None
        self._state = ClosingState.OPEN
        self._pressure.congested = False
        self._pressure.take_newest()
        task = self._tasks.spawn(self._go(move, follow), name=f"move to {move.node}")
        self._passage = Passage(move, task, follow.held_bytes_max)
        if transport is not None:
            self._end_stream(transport)
            self._loop.call_later(self._close_timeout_s, transport.disconnect, False)

    async def _go(self, move: Move, follow: MoveFollower) -> None:
        try:
            await follow.go(self, move)
        except Exception as error:
            self.failure = error
        finally:  # also after a cancellation, when too much was held
            if self._passage is not None and self._passage.move is move:
                self._end(SERVICE_RESTART, "")  # as if it had been closed with 1012 alone

    def _arrive(self, passage: Passage, transport: picows.WSTransport) -> None:
        """Go on over the next connection: held messages come first."""
        self._passage = None
        self._pressure.release_writers()
        passage.send_held(transport)
        if passage.closing is not None:
            self._send_close(passage.closing)
            self._expire_later()
            self._reading = True
        if not self._reading:
            self.read(False)
        self._receiver.moved(passage.move.node)

    def agree(self, subprotocol: str | None) -> None:
        """Store the connection's subprotocol; raise `UpgradeError` if it differs from the former connection's."""
        if self._passage is not None and subprotocol != self.subprotocol:
            raise UpgradeError(502, f"the node speaks {subprotocol}, where the one before spoke {self.subprotocol}")
        self.subprotocol = subprotocol

    # Calls of picows.

    def on_ws_connected(self, transport: picows.WSTransport) -> None:
        """Store the transport; from here on messages flow."""
        if self.close_code is not None:
            transport.disconnect(graceful=False)  # it was cut in the turn in which it arrived
            return
        self._transport = transport
        if self._passage is not None:
            self._arrive(self._passage, transport)
        else:
            self._receiver.opened(self)

    def on_ws_frame(self, transport: picows.WSTransport, frame: picows.WSFrame) -> None:
        """Process one frame."""
        if self.close_code is not None or transport is not self._transport:
            return  # over, or left
        if self._state is not ClosingState.OPEN and self._step(ClosingEvent.FRAME) is not ClosingAction.DELIVER:
            return
        opcode = cast(int, frame.msg_type)
        payload = frame.get_payload_as_bytes()
        try:
            if opcode <= BINARY:
                message = self._assembler.feed(
                    opcode, payload, fin=bool(frame.fin), rsv=bool(frame.rsv1 or frame.rsv2 or frame.rsv3)
                )
                if message is not None:
                    self._receiver.received(*message)
            elif opcode == PONG:
                self._receiver.ponged(payload)
            elif self._state is ClosingState.OPEN:
                self.send_newest(PONG, payload)
        except ProtocolError as error:
            self.on_ws_breach(error)

    def on_ws_close(self, payload: bytes) -> None:
        """Answer the server's close frame, and follow its move, if any; or end as it answers this end's close frame."""
        try:
            code, reason = read_close(payload)
        except ProtocolError as error:
            self.on_ws_breach(error)
            return
        action = self._step(ClosingEvent.CLOSE)
        if action is ClosingAction.IGNORE:
            return
        move = None
        if action is ClosingAction.REPLY:
            move = move_of(code, reason) if self._follow is not None else None
            self._send_close(payload)
        if move is not None and self._follow is not None:
            self._leave(move, self._follow)
        else:
            self._end(code, reason)

    def on_ws_breach(self, error: ProtocolError) -> None:
        """End the connection: all messages before the breach were received."""
        if self._step(ClosingEvent.BREACH) is not ClosingAction.IGNORE:
            self.fail(error)

    def on_ws_disconnected(self, transport: picows.WSTransport) -> None:
        """Collect picows' own error, if any: asyncio reports errors that are not collected."""
        if transport is self._transport:
            self._tasks.spawn(self._disconnected(transport), name="end of a wire")
        elif self._follow is not None:
            self._follow.see_off(transport)

    async def _disconnected(self, transport: picows.WSTransport) -> None:
        try:
            await transport.wait_disconnected()
        except picows.WSProtocolError as error:
            self.failure = self.failure or ProtocolError(int(error.code), str(error))
        except Exception as error:
            self.failure = self.failure or error
        finally:
            self._step(ClosingEvent.LOST)
            self._end(ABNORMAL, "")
            self._transport = None  # breaks the reference circle of wire and transport, so that both are freed at once
            self._over()

    def pause_writing(self) -> None:
        """Let `drain` wait, and hold the newest answers back."""
        self._pressure.congested = True
        if self.close_code is None:
            self._pressure.stop_writers()

    def resume_writing(self) -> None:
        """Let `drain` go on, unless a move still holds too many bytes; and send the newest answers."""
        self._pressure.congested = False
        newest = self._pressure.take_newest()
        if self._passage is None:
            self._pressure.release_writers()
            if self.is_open:
                for opcode, payload in newest.items():
                    self.send_newest(opcode, payload)

"""One WebSocket connection as a client holds it: messages in and out, and an orderly end.

picows splits the stream into frames and masks what is sent; messages, control frames and the close handshake are
judged here, by `protocol.message` and `protocol.frame`. The protocols above (`Socket`, `Link`) are receivers.
"""

import asyncio
import ssl as tls
from collections.abc import Sequence
from http import HTTPStatus
from socket import socket
from typing import Protocol, cast

import picows

from ringway.client.dial import dial, hang_up
from ringway.client.discovery import default_tls
from ringway.client.handshake import check_answer
from ringway.client.url import is_secure, shown
from ringway.errors import ConnectionClosed, ProtocolError, UpgradeError
from ringway.protocol.close import ABNORMAL, PROTOCOL_ERROR
from ringway.protocol.frame import BINARY, CLOSE, PING, PONG, close_payload, read_close
from ringway.protocol.message import MessageAssembler


class Receiver(Protocol):
    """What stands above a wire. Called in the event loop; must not block."""

    def opened(self, wire: "Wire") -> None:
        """Take the wire, before its first message."""
        ...

    def received(self, opcode: int, payload: bytes) -> None:
        """Take a whole message."""
        ...

    def ponged(self, payload: bytes) -> None:
        """Take the payload of a pong."""
        ...

    def closed(self, code: int, reason: str) -> None:
        """The connection is over. Called once, after the last message, for every wire that was opened."""
        ...


class Wire(picows.WSListener):
    """See the module. `open_wire` makes one; `finish` or `cut` ends it.

    `closed` is called as soon as a close frame is answered: the TCP connection ends right behind it.
    """

    def __init__(self, receiver: Receiver, message_bytes_max: int, close_timeout_s: float) -> None:
        self.close_code: int | None = None
        self.close_reason = ""
        self.failure: BaseException | None = None
        """What went wrong on this side, where the end was not the peer's doing."""
        self.subprotocol: str | None = None
        self._receiver = receiver
        self._assembler = MessageAssembler(message_bytes_max)
        self._close_timeout_s = close_timeout_s
        self._loop = asyncio.get_running_loop()
        self._transport: picows.WSTransport | None = None
        self._close_sent = False
        self._ending: asyncio.TimerHandle | None = None
        self._farewell: asyncio.Task[None] | None = None
        self._gone: asyncio.Future[None] = self._loop.create_future()
        self._room: asyncio.Future[None] | None = None

    @property
    def is_open(self) -> bool:
        """Whether messages may be sent."""
        return self._transport is not None and self.close_code is None and not self._close_sent

    def send(self, opcode: int, payload: bytes) -> None:
        """Send one message or ping in one frame; raise `ConnectionClosed` where that is too late."""
        if not self.is_open or self._transport is None:
            raise ConnectionClosed(self.close_code or ABNORMAL, self.close_reason) from self.failure
        self._transport.send(picows.WSMsgType(opcode), payload)

    async def drain(self) -> None:
        """Wait while more is unsent than the transport likes to hold: this is what slows a writer down."""
        while self._room is not None:
            await asyncio.shield(self._room)

    def read(self, wanted: bool) -> None:
        """Read on, or leave what comes in the kernel, which stops the peer in the end."""
        if self._transport is None or self._transport.is_disconnected:
            return
        transport = self._transport.underlying_transport
        if wanted:
            transport.resume_reading()
        else:
            transport.pause_reading()

    def finish(self, code: int, reason: str = "") -> None:
        """Begin the close handshake; after the close timeout the connection is cut. Idempotent."""
        if self._transport is None or not self.is_open:
            return
        self._send_close(close_payload(code, reason))
        self._ending = self._loop.call_later(self._close_timeout_s, self.cut)
        self.read(True)  # else the answer would never be seen

    def fail(self, error: ProtocolError) -> None:
        """End the connection because the peer broke the protocol; it is told how."""
        if self._transport is None or self.failure is not None:
            return
        self.failure = error
        self._send_close(close_payload(error.close_code, str(error)))
        self._end(ABNORMAL, "")

    def cut(self) -> None:
        """End the connection at once, without a word."""
        if self._transport is not None:
            self._transport.disconnect(graceful=False)

    async def wait_gone(self) -> None:
        """Return when the TCP connection is over."""
        await asyncio.shield(self._gone)

    def _end(self, code: int, reason: str) -> None:
        if self.close_code is not None or self._transport is None:
            return
        self.close_code = code
        self.close_reason = reason
        if self._ending is None:
            self._ending = self._loop.call_later(self._close_timeout_s, self.cut)
        if not self._transport.is_disconnected:
            self._transport.disconnect()
        if self._room is not None:
            self._room.set_result(None)
            self._room = None
        self._receiver.closed(code, reason)

    def _send_close(self, payload: bytes) -> None:
        if self._transport is not None and not self._close_sent:
            self._close_sent = True
            self._transport.send(picows.WSMsgType.CLOSE, payload)

    # What picows calls.

    def on_ws_connected(self, transport: picows.WSTransport) -> None:
        """Keep the transport; from here on messages flow."""
        self._transport = transport
        self._receiver.opened(self)

    def on_ws_frame(self, transport: picows.WSTransport, frame: picows.WSFrame) -> None:
        """Judge one frame."""
        if self.close_code is not None or transport.is_close_frame_sent:
            return  # over; or picows itself found a fault, and has sent its own close frame
        opcode = cast(int, frame.msg_type)
        payload = frame.get_payload_as_bytes()
        reserved = bool(frame.rsv1 or frame.rsv2 or frame.rsv3)
        try:
            if opcode <= BINARY:
                message = self._assembler.feed(opcode, payload, fin=bool(frame.fin), rsv=reserved)
                if message is not None:
                    self._receiver.received(*message)
            else:
                self._control(opcode, payload, reserved)
        except ProtocolError as error:
            self.fail(error)

    def _control(self, opcode: int, payload: bytes, reserved: bool) -> None:
        if reserved:
            raise ProtocolError(PROTOCOL_ERROR, "a reserved bit is set in a control frame")
        if opcode == PING and not self._close_sent and self._transport is not None:
            self._transport.send_pong(payload)
        elif opcode == PONG:
            self._receiver.ponged(payload)
        elif opcode == CLOSE:
            code, reason = read_close(payload)
            self._send_close(payload)
            self._end(code, reason)

    def on_ws_disconnected(self, transport: picows.WSTransport) -> None:
        """Collect picows' own error, if any: nobody else would, and asyncio complains of errors that are left."""
        self._farewell = self._loop.create_task(transport.wait_disconnected())
        self._farewell.add_done_callback(self._disconnected)

    def _disconnected(self, farewell: "asyncio.Task[None]") -> None:
        fault = None if farewell.cancelled() else farewell.exception()
        if isinstance(fault, picows.WSProtocolError):
            fault = ProtocolError(int(fault.code), str(fault))
        self.failure = self.failure or fault
        self._end(ABNORMAL, "")
        if self._ending is not None:
            self._ending.cancel()
        self._transport = self._farewell = None  # parts the circle of wire and transport, for the memory's sake
        self._gone.set_result(None)

    def pause_writing(self) -> None:
        """Make `drain` wait."""
        if self._room is None and self.close_code is None:
            self._room = self._loop.create_future()

    def resume_writing(self) -> None:
        """Let `drain` go on."""
        if self._room is not None:
            self._room.set_result(None)
            self._room = None


async def open_wire(
    url: str,
    receiver: Receiver,
    *,
    timeout_s: float,
    close_timeout_s: float,
    message_bytes_max: int,
    read_buffer_bytes: int = 2048,
    headers: Sequence[tuple[str, str]] = (),
    subprotocols: Sequence[str] = (),
    ssl: tls.SSLContext | None = None,
) -> Wire:
    """Connect to `url`, a `ws(s)://` URL, and return the open wire; all within `timeout_s`.

    `headers` must name `subprotocols` already (see `handshake.request_headers`). Raise `OSError` (of which
    `TimeoutError` is one) where the server is not reached, `UpgradeError` where it refuses or answers wrongly.
    When cancelled, nothing stays open.
    """
    sock: socket | None = None
    wire = Wire(receiver, message_bytes_max, close_timeout_s)

    async def dialled(parsed: object) -> socket:
        nonlocal sock
        target = cast("picows.url.WSParsedURL", parsed)
        sock = await dial(target.host, target.port, timeout_s)
        return sock

    def accept(request: picows.WSUpgradeRequest, response: picows.WSUpgradeResponse) -> Wire:
        answer = [(name.lower(), value) for name, value in response.headers.items()]
        wire.subprotocol = check_answer(request.headers["Sec-WebSocket-Key"], subprotocols, answer)
        return wire

    try:
        async with asyncio.timeout(timeout_s):
            _, listener = await picows.ws_connect(
                accept,
                url,
                ssl_context=(ssl or default_tls()) if is_secure(url) else None,
                websocket_handshake_timeout=None,
                enable_auto_pong=False,
                max_frame_size=message_bytes_max,
                extra_headers=headers,
                max_redirects=0,
                read_buffer_init_size=read_buffer_bytes,
                socket_factory=dialled,
                use_aiofastnet=False,
            )
    except BaseException as error:
        hang_up(sock)
        if isinstance(error, picows.WSHandshakeError):
            raise _refusal(url, error) from None
        if isinstance(error, TimeoutError):
            raise TimeoutError(f"{shown(url)} did not complete the handshake within {timeout_s:g} s") from None
        raise
    if listener is not wire:
        raise ConnectionResetError(f"{shown(url)} closed the connection before it answered the handshake")
    return wire


def _refusal(url: str, error: picows.WSHandshakeError) -> UpgradeError:
    if isinstance(error, picows.WSInvalidStatusError) and error.response is not None:
        headers = tuple((name.lower(), value) for name, value in error.response.headers.items())
        phrase = HTTPStatus(error.response.status).phrase
        return UpgradeError(int(error.response.status), f"{shown(url)} answered {phrase} to the handshake", headers)
    return UpgradeError(502, f"{shown(url)} does not answer the handshake rightly: {error}")

"""A WebSocket client for tests that need thousands: plain callbacks over one transport, no task, no timer.

It trusts the server's frames to be unmasked and right. Masks are zeros: the servers under test do not check them.
"""

import asyncio
import socket
from typing import Protocol

from ringway.protocol.close import ABNORMAL
from ringway.protocol.frame import close_payload, read_close

SMALL_BYTES = 16 * 1024
CONTINUATION, TEXT, CLOSE, PING, PONG = 0, 1, 8, 9, 10


class Above(Protocol):
    """The user of a wire."""

    def opened(self, wire: "Wire") -> None:
        """Called when the handshake is done."""

    def received(self, message: bytes) -> None:
        """Called with a whole text message."""

    def ended(self, code: int, reason: str, status: int) -> None:
        """Called once, at the end; `status` is the status of a refused handshake, else 0."""


def frame(opcode: int, payload: bytes) -> bytes:
    """A client's frame, masked with zeros."""
    size = len(payload)
    if size < 126:
        return bytes((0x80 | opcode, 0x80 | size)) + b"\0\0\0\0" + payload
    if size < 65536:
        return bytes((0x80 | opcode, 0xFE)) + size.to_bytes(2, "big") + b"\0\0\0\0" + payload
    return bytes((0x80 | opcode, 0xFF)) + size.to_bytes(8, "big") + b"\0\0\0\0" + payload


class Wire(asyncio.Protocol):
    """One connection. Made for `loop.create_connection`."""

    __slots__ = (
        "_above",
        "_away_s",
        "_buffer",
        "_head",
        "_open",
        "_parts",
        "_reason",
        "_request",
        "_transport",
        "code",
    )

    def __init__(self, above: Above, host: str, target: str, away_s: float) -> None:
        self._above: Above | None = above
        self._away_s = away_s
        self._request = (
            f"GET {target} HTTP/1.1\r\nHost: {host}\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
            "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n\r\n"
        ).encode()
        self._transport: asyncio.Transport | None = None
        self._buffer = b""
        self._parts: list[bytes] = []
        self._open = False
        self._head = b""
        self.code = ABNORMAL
        self._reason = ""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = transport  # type: ignore[assignment]
        transport.write(self._request)  # type: ignore[attr-defined]

    def data_received(self, data: bytes) -> None:
        if self._away_s:
            asyncio.get_running_loop().call_later(self._away_s, self._arrived, data)
        else:
            self._arrived(data)

    def _arrived(self, data: bytes) -> None:
        if self._above is None:
            return
        if not self._open:
            data = self._handshake(data)
            if not self._open:
                return
        if self._buffer:
            data = self._buffer + data
        at, size = 0, len(data)
        while size - at >= 2:
            first, length = data[at], data[at + 1]
            begin = at + 2
            if length == 126:
                begin, length = at + 4, int.from_bytes(data[at + 2 : at + 4], "big")
            elif length == 127:
                begin, length = at + 10, int.from_bytes(data[at + 2 : at + 10], "big")
            if size < begin or size - begin < length:
                break
            at = begin + length
            self._frame(first, data[begin:at])
            if self._above is None:
                return
        self._buffer = data[at:]

    def connection_lost(self, error: Exception | None) -> None:
        if self._away_s:  # behind data that is still on its way
            asyncio.get_running_loop().call_later(self._away_s, self._end, self.code, self._reason, 0)
        else:
            self._end(self.code, self._reason, 0)

    def send(self, message: bytes) -> None:
        """Send a text message; do nothing if that is too late."""
        if self._open:
            self._write(frame(TEXT, message))

    def pause(self) -> None:
        """Stop reading: a slow consumer."""
        if self._transport is not None:
            self._transport.pause_reading()

    def resume(self) -> None:
        """Resume reading."""
        if self._transport is not None:
            self._transport.resume_reading()

    def cut(self) -> None:
        """End the connection at once, without a close frame."""
        if self._transport is not None:
            self._transport.abort()

    def finish(self) -> None:
        """Send a close frame, and do not wait for the answer."""
        if self._transport is not None and self._open:
            self._write(frame(CLOSE, close_payload(1000)))
            self._above = None
            self._transport.close()

    def _handshake(self, data: bytes) -> bytes:
        self._head += data
        head, end, rest = self._head.partition(b"\r\n\r\n")
        if not end:
            return b""
        status = head[9:12]
        if status != b"101":
            self._end(ABNORMAL, head.decode("latin-1"), int(status))
            self.cut()
            return b""
        self._open, self._head = True, b""
        if self._above is not None:
            self._above.opened(self)
        return rest

    def _frame(self, first: int, payload: bytes) -> None:
        opcode = first & 15
        if opcode in (TEXT, CONTINUATION):
            if first & 0x80 and not self._parts:
                if self._above is not None:
                    self._above.received(payload)
                return
            self._parts.append(payload)
            if first & 0x80:
                whole, self._parts = b"".join(self._parts), []
                if self._above is not None:
                    self._above.received(whole)
        elif opcode == CLOSE and self._transport is not None:
            self.code, self._reason = read_close(payload)
            self._write(frame(CLOSE, payload))
            self._end(self.code, self._reason, 0)
            self._transport.close()
        elif opcode == PING:
            self._write(frame(PONG, payload))

    def _write(self, data: bytes) -> None:
        if self._transport is not None and not self._transport.is_closing():  # a far client learns late that it is over
            self._transport.write(data)

    def _end(self, code: int, reason: str, status: int) -> None:
        above, self._above = self._above, None
        self._open = False
        if above is not None:
            above.ended(code, reason, status)


async def open_wire(
    above: Above, host: str, port: int, target: str, timeout_s: float, *, small: bool = False, away_s: float = 0.0
) -> Wire:
    """Connect, and return the wire, whose handshake is under way. Raise `OSError` if no server is there.

    A `small` wire has so little buffer in the kernel that a stopped reader is noticed soon. A wire with `away_s`
    receives everything that much later.
    """
    loop = asyncio.get_running_loop()
    sock = socket.socket()
    try:
        sock.setblocking(False)
        if small:
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, SMALL_BYTES)
        async with asyncio.timeout(timeout_s):
            await loop.sock_connect(sock, (host, port))
            _, wire = await loop.create_connection(lambda: Wire(above, f"{host}:{port}", target, away_s), sock=sock)
    except BaseException:
        sock.close()
        raise
    return wire

"""Flow control of one WebSocket at a node, in both directions.

Reading stops while there is a reason for it (`allowance.Pause`). Frames for a client that does not read wait here once
its transport is full enough. They are references to the frames of all subscribers, so that the publications of a
channel exist once for a thousand slow readers. A transport would copy them for each client.
"""

import asyncio
from collections import deque
from typing import TYPE_CHECKING, cast

from ringway.node.connection.allowance import Pause
from ringway.node.connection.ending import EndingSocket
from ringway.node.connection.subscriber import HEADROOM

if TYPE_CHECKING:
    from picows import WSMsgType

    from ringway.node.connection.subscriber import Send


TURN_BYTES = 1024
"""The bytes that are read from a client in one turn of the event loop, up to the end of a frame.

A tiny frame costs as much as a thousand bytes: a receive buffer full of them would delay all other clients for a tenth
of a second. Most messages are shorter, and a long message needs one more read.
"""


class WaitingFrames:
    """Frames for one client, in their order; `outbox` bounds their bytes."""

    __slots__ = ("_frames", "bytes")

    def __init__(self) -> None:
        self._frames: deque[tuple[WSMsgType, bytearray]] = deque()
        self.bytes = 0

    def put(self, opcode: "WSMsgType", frame: bytearray, offset: int) -> None:
        """Add a frame (`subscriber.Send`)."""
        self._frames.append((opcode, frame))
        self.bytes += len(frame)

    def pass_on(self, send: "Send") -> bool:
        """Pass the first frame to `send`; return False if there was no frame."""
        if not self._frames:
            return False
        opcode, frame = self._frames.popleft()
        self.bytes -= len(frame)
        send(opcode, frame, HEADROOM)
        return True


class FlowingSocket(EndingSocket):
    """A base of `Connection`: its flow control."""

    __slots__ = ("_holds", "_waiting", "send")

    def __init__(self) -> None:
        super().__init__()
        self._holds = 0  # the present reasons for not reading, as bits
        self._waiting: WaitingFrames | None = None  # only while its transport is full enough
        self.send: Send = nowhere

    @property
    def is_held(self) -> bool:
        """True if reading is stopped for waiting commands or for the client's rate: then the client cannot answer."""
        return bool(self._holds & Pause.OWED)

    def is_paused_for(self, why: Pause) -> bool:
        """True if reading is stopped for this reason, maybe among others."""
        return bool(self._holds & why)

    def pause_reading(self, why: Pause) -> None:
        """Stop reading until `resume_reading` was called for this reason and all others. Idempotent."""
        if self._transport is not None:
            self._holds |= why
            self._transport.underlying_transport.pause_reading()

    def resume_reading(self, why: Pause) -> None:
        """End this reason for not reading; read on if it was the last. Idempotent."""
        if not self._holds:
            return
        self._holds &= ~why
        transport = None if self._transport is None else self._transport.underlying_transport
        if not self._holds and transport is not None and not transport.is_closing():
            transport.resume_reading()

    def let_others(self, pause_s: float) -> None:
        """Stop reading from the client in this turn of the event loop, and for `pause_s`."""
        self.pause_reading(Pause.TURN)
        asyncio.get_running_loop().call_later(pause_s, self.resume_reading, Pause.TURN)

    def waiting_bytes(self) -> int:
        """Return the number of bytes that were sent to this client and have not reached the kernel yet."""
        return super().waiting_bytes() + (self._waiting.bytes if self._waiting is not None else 0)

    def let_wait(self) -> None:
        """Let frames wait here from now on."""
        if self._waiting is None:
            self._waiting = WaitingFrames()
            self._send_by(self._waiting.put)

    def pass_on(self, high_water_bytes: int) -> bool:
        """Pass waiting frames to the transport, until it is full enough again; return True if no frame is left."""
        if self._waiting is None or self._transport is None:
            return True
        transport = self._transport.underlying_transport
        send = self._direct()
        while transport.get_write_buffer_size() <= high_water_bytes:
            if not self._waiting.pass_on(send):
                self._waiting = None
                self._send_by(send)
                return True
        return False

    def stop_waiting(self, *, drop: bool = False) -> None:
        """Pass all waiting frames to the transport, or drop them: the next frame must not overtake them."""
        waiting, self._waiting = self._waiting, None
        if waiting is None or self._transport is None:
            return
        send = self._direct()
        while not drop and waiting.pass_on(send):
            pass
        self._send_by(send)

    def _direct(self) -> "Send":
        """Return the function that passes a frame to the transport."""
        assert self._transport is not None
        return cast("Send", self._transport.send_reuse_external_bytearray)

    def _send_by(self, send: "Send") -> None:
        """Send to the client by `send` from now on."""
        self.send = send


def nowhere(opcode: "WSMsgType", payload: bytearray, offset: int) -> None:
    """Do nothing: the `send` before the handshake is answered and after the socket is closed."""

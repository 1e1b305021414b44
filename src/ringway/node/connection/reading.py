"""Reading of messages on one WebSocket at a node: fragments become whole messages."""

from picows import WSFrame

from ringway.errors import ProtocolError
from ringway.node.config.client import ClientBounds
from ringway.node.connection.flow import FlowingSocket
from ringway.protocol.close import UNSUPPORTED_DATA
from ringway.protocol.frame import TEXT
from ringway.protocol.message import MessageAssembler


class ReadingSocket(FlowingSocket):
    """A base of `Connection`: its socket, and the fragmented message under way."""

    __slots__ = ("_assembler",)

    def __init__(self) -> None:
        super().__init__()
        self._assembler: MessageAssembler | None = None  # only while a fragmented message is under way

    def _assemble(self, opcode: int, frame: WSFrame, bounds: ClientBounds) -> bytes | None:
        """Add one data frame; return the text message that it completes, or None."""
        if self._assembler is None:
            self._assembler = MessageAssembler(bounds.message_bytes_max, bounds.fragments_max)
        payload = frame.get_payload_as_bytes()
        message = self._assembler.feed(opcode, payload, fin=bool(frame.fin), rsv=has_reserved_bits(frame))
        if message is None:
            return None
        self._assembler = None
        if message[0] != TEXT:
            raise ProtocolError(UNSUPPORTED_DATA, "a binary message; this protocol is text, JSON")
        return message[1]


def has_reserved_bits(frame: WSFrame) -> bool:
    """True if a reserved bit of the frame is set (RFC 6455, 5.2)."""
    return bool(frame.rsv1 or frame.rsv2 or frame.rsv3)

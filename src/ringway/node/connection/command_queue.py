"""Command queue of one connection: the messages that wait while a command awaits the engine, and the end after them."""

from collections import deque
from collections.abc import Callable
from dataclasses import dataclass

TURN_COMMANDS = 200
"""Commands of one client that are read and carried out in one turn of the event loop, before other clients' turns."""


@dataclass(frozen=True, slots=True)
class Goodbye:
    """The close of a connection; `is_answer`: its client has closed it with that code."""

    code: int
    reason: str = ""
    is_answer: bool = True


OnSettled = Callable[[list[bytes] | None], None]
"""Called when no command is under way, with the frames that were not begun; None if a faulty command ended the
connection."""


class CommandQueue:
    """Frames of a client that wait while its command awaits the engine, or a further turn of the event loop."""

    __slots__ = ("_on_settled", "_unsent_bytes", "bytes", "count", "frames", "goodbye", "is_unsubscribed",
                 "subscribing")  # fmt: skip

    def __init__(self) -> None:
        self.frames: deque[bytes] = deque()  # in the order of their arrival
        self.count = 0  # lines, which are commands
        self.bytes = 0
        self.goodbye: Goodbye | None = None
        self.subscribing = ""  # the channel of the subscribe command that is under way
        self.is_unsubscribed = False  # the server has ended that subscription before it began
        self._on_settled: OnSettled | None = None
        self._unsent_bytes = 0

    def add(self, frame: bytes) -> None:
        """Append `frame`, in pieces if it has more commands than one turn allows."""
        lines = frame.split(b"\n")
        pieces = [b"\n".join(lines[at : at + TURN_COMMANDS]) for at in range(0, len(lines), TURN_COMMANDS)]
        self.frames += pieces
        self.bytes += sum(map(len, pieces))
        self.count += len(lines)

    def clear(self) -> None:
        """Drop all frames."""
        self.frames.clear()
        self.bytes = self.count = 0

    def pop(self) -> bytes:
        """Remove and return the frame that has waited longest."""
        frame = self.frames.popleft()
        self.bytes -= len(frame)
        self.count -= lines_of(frame)
        return frame

    def begin_subscribe(self, channel: str) -> None:
        """Note that the subscribe command for `channel` is under way, and no other."""
        self.subscribing, self.is_unsubscribed = channel, False

    def unsubscribe(self, channel: str) -> None:
        """Refuse the subscribe command under way if it is for `channel`; for every channel if that is empty."""
        if self.subscribing and channel in ("", self.subscribing):
            self.is_unsubscribed = True

    def end_subscribe(self) -> None:
        """Note that no subscribe command is under way."""
        self.begin_subscribe("")

    def when_settled(self, call: OnSettled | None) -> None:
        """Call `call` with the remaining frames when no command is under way; None: they are published here."""
        self._on_settled = call

    def settle(self, left: list[bytes] | None) -> list[bytes] | None:
        """End the queue; return the frames whose publications are to be made here."""
        if self._on_settled is None:
            return left
        self._on_settled(left)
        return None

    def is_unread(self, unsent_bytes: int) -> bool:
        """True if the client has not read from its outbox since the last call."""
        before, self._unsent_bytes = self._unsent_bytes, unsent_bytes
        return 0 < before <= unsent_bytes


def lines_of(frame: bytes) -> int:
    """Return the number of commands in `frame`."""
    return frame.count(b"\n") + 1

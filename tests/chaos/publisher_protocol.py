"""Protocol of one publisher: numbered publications, and the outcome of each; pure.

It sends each number once. When its connection is lost, the outcome of unanswered publications remains unknown, and it
goes on under a new id.
"""

from collections.abc import Iterator

import msgspec

from chaos import message as messages
from ringway.testing.delivery import Outcome, Published

PENDING_MAX = 2000
"""Publications without an answer; at the bound a publisher skips its turns."""


class PublisherProtocol:
    """The state of one publisher. `ids` yields ids that no other publisher has."""

    def __init__(self, published: Published, ids: Iterator[int], filling: str = "") -> None:
        self.published = published
        self.connected = False
        self.closes: list[tuple[float, int, str]] = []
        self.skipped = 0
        self.errors: list[str] = []
        self.heard_at = 0.0
        self.patience_s = float("inf")
        self._new_ids = ids
        self._id = next(ids)
        self._filling = filling
        self._pending: dict[int, tuple[str, int, int]] = {}
        self._commands = 0
        self._pong = False

    @property
    def pending(self) -> int:
        """The number of unanswered publications."""
        return len(self._pending)

    def hello(self, at: float) -> bytes:
        """Begin on a new connection."""
        self.heard_at = at
        self._commands = 1
        return b'{"id":1,"connect":{}}'

    def tick(self) -> bytes:
        """Do nothing: a publisher repeats no requests."""
        return b""

    def publish(self, channel: str, at: float) -> bytes:
        """Publish the next number to `channel`; empty if it is this publisher's turn and it cannot."""
        if not self.connected or len(self._pending) >= PENDING_MAX:
            self.skipped += 1
            return b""
        number = self.published.begin(channel, self._id, at)
        self._commands += 1
        self._pending[self._commands] = (channel, self._id, number)
        data = {"p": self._id, "n": number, "c": channel, "f": self._filling}
        return messages.command(self._commands, publish={"channel": channel, "data": data})

    def take(self, message: bytes, at: float) -> bytes:
        """Receive one message; return the answer, empty if there is none."""
        self.heard_at = at
        if message == b"{}":
            return b"{}" if self._pong else b""
        for reply in msgspec.json.Decoder(messages.Reply).decode_lines(message):
            if reply.connect is not None:
                self.connected, self._pong = True, reply.connect.pong
                self.patience_s = reply.connect.ping + 10 if reply.connect.ping else float("inf")
            elif reply.id:
                self._answered(reply, at)
        return b""

    def _answered(self, reply: messages.Reply, at: float) -> None:
        publication = self._pending.pop(reply.id, None)
        if publication is None:
            self.errors.append(f"an answer to a command that was not open: {reply}")
            return
        self.published.settle(*publication, _outcome(reply.error), at)

    def lost(self, at: float, code: int, reason: str) -> None:
        """End the connection: unanswered publications have an unknown outcome."""
        if self.connected:
            self.closes.append((at, code, reason))
        self.connected = False
        self.patience_s = float("inf")
        self._pending.clear()
        self._id = next(self._new_ids)


def _outcome(error: "messages.Fault | None") -> Outcome:
    """The outcome by an answer: only a temporary error promises that nothing was published (PROTOCOL.md P-4.7)."""
    if error is None:
        return Outcome.ACKED
    return Outcome.UNKNOWN if error.code == 100 and not error.temporary else Outcome.REFUSED

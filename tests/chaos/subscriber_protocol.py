"""Protocol of one client, across all its connections; pure, so that it works over any kind of socket.

It behaves as the official SDKs do: connect, then subscribe to all channels, with recovery where the channel offered it;
answer pings; subscribe again if the server asks for that. It does not check for doubles or gaps: the checker does.
"""

from collections.abc import Sequence

import msgspec

from chaos import message as messages
from ringway.testing.delivery import Seen, Witness

RESUBSCRIBE_FROM = 2500
PING_TOLERANCE_S = 10.0


class SubscriberProtocol:
    """The state of one client. Every method returns the requests to send."""

    def __init__(self, name: str, channels: Sequence[str], group: str = "") -> None:
        self.group = group
        self.witness = Witness(name, seen=[Seen(channel) for channel in channels])
        self.node = ""
        self.nodes: list[str] = []
        self.heard_at = 0.0
        self.patience_s = float("inf")
        self.connected = False
        self.refusals: list[str] = []
        self.sealed = False
        """True if the run is over: later messages are answered, but not recorded."""
        self._by_channel = {seen.channel: seen for seen in self.witness.seen}
        self._positions: dict[str, tuple[str, int]] = {}
        self._asked: dict[int, Seen] = {}
        self._again: list[Seen] = []  # to be requested again, at the next tick
        self._ids = 0
        self._pong = False

    @property
    def subscribed(self) -> bool:
        """True if all channels are confirmed."""
        return all(seen.subscribed for seen in self.witness.seen)

    def hello(self, at: float) -> bytes:
        """Begin on a new connection."""
        self.heard_at = at
        self._ids = 1
        self._asked.clear()
        self._again.clear()
        return b'{"id":1,"connect":{}}'

    def take(self, message: bytes, at: float) -> bytes:
        """Receive one message; return the answer, empty if there is none."""
        self.heard_at = at
        if message == b"{}" or self.sealed:
            return b"{}" if self._pong else b""
        answers = []
        try:
            replies = messages.read(message)
        except msgspec.ValidationError:
            replies = self._read_apart(message, at)
        for reply in replies:
            if reply.push is not None:
                answer = self._pushed(reply.push, at)
            elif reply.id:
                answer = self._replied(reply, at)
            else:
                answer = b"{}" if self._pong else b""
            if answer:
                answers.append(answer)
        return b"\n".join(answers)

    def tick(self) -> bytes:
        """Repeat requests that were refused temporarily; call it every half second or so."""
        again, self._again = self._again, []
        return self._subscribe(again) if self.connected else b""

    def lost(self, at: float, code: int, reason: str) -> None:
        """End the connection, and report that to the application."""
        if self.sealed:
            return
        if self.connected or self.node:
            self.witness.closes.append((at, code, reason))
        self.connected = False
        self.patience_s = float("inf")
        self.node = ""
        for seen in self.witness.seen:
            seen.close(at, code)

    def _read_apart(self, message: bytes, at: float) -> list[messages.Reply]:
        """Read line by line; an unreadable publication is recorded as one that was never made."""
        read = []
        for line in message.split(b"\n"):
            try:
                read += messages.read(line)
            except msgspec.ValidationError:
                self.witness.seen[0].deliver(-1, 0, 0, at)
        return read

    def _pushed(self, push: messages.Push, at: float) -> bytes:
        seen = self._by_channel.get(push.channel)
        if seen is None:
            return b""
        if push.pub is not None:
            self._deliver(seen, push.pub, at)
        elif push.unsubscribe is not None:
            seen.close(at, push.unsubscribe.code)
            if push.unsubscribe.code >= RESUBSCRIBE_FROM:
                return self._subscribe([seen])
        return b""

    def _deliver(self, seen: Seen, pub: messages.Pub, at: float) -> None:
        body = pub.data
        if not isinstance(body, messages.Body) or body.c != seen.channel:
            seen.deliver(-1, 0, pub.offset, at)
            return
        seen.deliver(body.p, body.n, pub.offset, at)
        if pub.offset:
            position = self._positions.get(seen.channel)
            if position is not None:
                self._positions[seen.channel] = (position[0], pub.offset)

    def _replied(self, reply: messages.Reply, at: float) -> bytes:
        if reply.connect is not None:
            self.connected = True
            self.node = reply.connect.node
            self.nodes.append(self.node)
            self._pong = reply.connect.pong
            self.patience_s = reply.connect.ping + PING_TOLERANCE_S if reply.connect.ping else float("inf")
            return self._subscribe(self.witness.seen)
        seen = self._asked.pop(reply.id, None)
        if seen is None:
            return b""
        if reply.error is not None:
            self.refusals.append(f"{reply.error.code}: {reply.error.message}")
            if reply.error.temporary:
                self._again.append(seen)
            return b""
        result = reply.subscribe or messages.Subscription()
        recovered = result.recovered if result.was_recovering else None
        seen.subscribe(at, epoch=result.epoch, offset=result.offset, recovered=recovered)
        if result.recoverable:
            self._positions[seen.channel] = (result.epoch, result.offset)
        else:
            self._positions.pop(seen.channel, None)
        for pub in result.publications:
            self._deliver(seen, pub, at)
        return b""

    def _subscribe(self, wanted: Sequence[Seen]) -> bytes:
        lines = []
        for seen in wanted:
            self._ids += 1
            self._asked[self._ids] = seen
            request: dict[str, object] = {"channel": seen.channel}
            position = self._positions.get(seen.channel)
            if position is not None:
                request |= {"recover": True, "epoch": position[0], "offset": position[1]}
            lines.append(messages.command(self._ids, subscribe=request))
        return b"\n".join(lines)

"""NATS's protocol from server to client, read from bytes in any pieces. Pure: no sockets, no clock.

    INFO {json}                                          MSG subject sid [reply] size, then a payload
    PING   PONG   +OK   -ERR 'text'                      HMSG subject sid [reply] header-size size, then both

A message goes directly to the subscription of its number, in the same call; other lines go to the `ServerEvents`. An
incomplete line or message waits for its rest, and is not parsed again while a payload arrives.

Bounds: a line has at most `LINE_BYTES_MAX`, a message at most `MESSAGE_BYTES_MAX`. A server that exceeds them or breaks
the format is not NATS or lost count: `feed` raises, and the connection must be dropped.
"""

from collections.abc import Mapping
from typing import Protocol

from ringway.engine.nats.failure import ConnectionEnded, ServerRefused
from ringway.engine.nats.info import NatsInfo, read_info_line
from ringway.engine.nats.subscription import NatsSubscription
from ringway.logger import get_logger

LINE_BYTES_MAX = 1 << 20
"""The longest line; an INFO of a large cluster has some KiB."""

MESSAGE_BYTES_MAX = (64 << 20) + LINE_BYTES_MAX
"""The largest message: nats-server allows a `max_payload` of 64 MiB, and a stream adds headers as it republishes."""

_CR, _LF = b"\r\n"

_log = get_logger()


class ServerEvents(Protocol):
    """Receives a server's lines beside messages, in the call stack of `NatsParser.feed`."""

    def on_info(self, info: NatsInfo) -> None:
        """The server describes itself again."""
        ...

    def on_ping(self) -> None:
        """The server requests a PONG."""
        ...

    def on_pong(self) -> None:
        """The server has processed all commands before the oldest PING."""
        ...

    def on_error(self, text: str) -> None:
        """The server reports an error, in quotes as it sends it."""
        ...

    def on_unwanted(self, sid: int) -> None:
        """A message came for a subscription that does not exist any more."""
        ...


class NatsParser:
    """Reads the stream of one connection."""

    def __init__(
        self,
        subscriptions: Mapping[int, NatsSubscription],
        events: ServerEvents,
        line_bytes_max: int = LINE_BYTES_MAX,
        message_bytes_max: int = MESSAGE_BYTES_MAX,
    ) -> None:
        self._subscriptions = subscriptions
        self._events = events
        self._line_bytes_max = line_bytes_max
        self._message_bytes_max = message_bytes_max
        self._rest = bytearray()
        self._wanted = 0
        self._stopped = False

    def stop(self) -> None:
        """Stop reading, also of bytes that `feed` was given already."""
        self._stopped = True
        self._rest.clear()

    def feed(self, data: bytes) -> None:
        """Read the next bytes of the stream. Raise `ConnectionEnded` if they are not NATS's protocol."""
        rest = self._rest
        if rest:
            rest += data
            if len(rest) < self._wanted:
                return
            data = bytes(rest)
            rest.clear()
        try:
            position = self._read(data)
        except (ValueError, IndexError, ServerRefused) as error:
            self.stop()
            raise ConnectionEnded("it sent something that is not NATS's protocol") from error
        if not self._stopped and position < len(data):
            rest += data[position:] if position else data

    def _read(self, data: bytes) -> int:
        """Handle all complete messages. Return the position of the incomplete rest; `_wanted` is its full length."""
        position = 0
        size = len(data)
        find = data.find
        subscriptions = self._subscriptions
        line_bytes_max = self._line_bytes_max
        message_bytes_max = self._message_bytes_max
        while position < size and not self._stopped:
            end_of_line = find(b"\r\n", position, position + line_bytes_max + 2)
            if end_of_line < 0:
                if size - position - 1 > line_bytes_max:
                    raise ValueError
                self._wanted = size - position + 1
                break
            body = end_of_line + 2
            words = data[position:end_of_line].split()
            if words[0] == b"MSG":
                header_end, words_least = body, 4
            elif words[0] == b"HMSG":
                header_end, words_least = body + int(words[-2]), 5
            else:
                self._read_line(data[position:end_of_line])
                position = body
                continue
            payload_bytes = int(words[-1])
            if payload_bytes > message_bytes_max:
                raise ValueError
            end = body + payload_bytes
            if end + 2 > size:
                self._wanted = end + 2 - position
                break
            if not body <= header_end <= end or data[end] != _CR or data[end + 1] != _LF:
                raise ValueError
            reply = b""
            if len(words) != words_least:
                reply = words[3]
                if len(words) != words_least + 1:
                    raise ValueError
            position = end + 2
            sid = int(words[2])
            subscription = subscriptions.get(sid)
            if subscription is None:
                self._events.on_unwanted(sid)
                continue
            try:
                subscription.receive(words[1], reply, data[body:header_end], data[header_end:end])
            except Exception:
                # The fault of one receiver must not end the connection of all.
                _log.exception("a receiver of messages failed", subject=words[1].decode(errors="replace"))
        return position

    def _read_line(self, line: bytes) -> None:
        """Report a line without payload to the listener."""
        if line == b"PONG":
            self._events.on_pong()
        elif line == b"PING":
            self._events.on_ping()
        elif line.startswith(b"INFO "):
            self._events.on_info(read_info_line(line))
        elif line.startswith(b"-ERR"):
            self._events.on_error(line[4:].strip().decode(errors="replace"))
        elif line != b"+OK":
            raise ValueError

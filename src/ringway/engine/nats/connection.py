"""All that leans on the internals of nats-py, in one place; `tests/unit/engine/nats/test_connection.py` guards it.

nats-py gives each subscription an asyncio queue and a task (6 KiB), builds an object for each message, and
drops messages when a queue is full. Ringway has tens of thousands of subscriptions and does its own
queueing, so it takes messages where nats-py's parser finds them:

- `Tap` stands in nats-py's table of subscriptions. It has what nats-py reads there to resubscribe after a
  reconnect and to close, and hands each message to a callable in the same call stack: no queue, no drop.
- `DirectParser` finds MSG and HMSG by slices where nats-py matches regular expressions for each line,
  gives a tap's messages to the tap, and leaves everything else to nats-py.
- `Wire` is nats-py's client with both; it writes through an `Outbox`, and reconnects where nats-py gives up.
- `Transport` is nats-py's with the end of a stream told as an error, and TLS that its reader knows of.

What stays nats-py's: handshake, TLS, credentials, server pool, reconnects, keep-alive, and JetStream.
"""

import asyncio
import ssl
from collections.abc import Callable
from contextlib import suppress
from typing import Any
from urllib.parse import ParseResult

import structlog
from nats.aio.client import Client, Srv
from nats.aio.transport import TcpTransport
from nats.errors import Error, ProtocolError
from nats.protocol.parser import Parser

from ringway.engine.abort import abort_transport
from ringway.engine.nats.failure import OffersNoTls
from ringway.engine.nats.outbox import Outbox
from ringway.engine.nats.url import PORT
from ringway.errors import EngineAway
from ringway.net import connector
from ringway.protocol.address import server_hostname

Receive = Callable[[bytes, bytes, bytes, bytes], None]
"""Receives a message: subject, reply subject, header, payload."""

LINE_BYTES_MAX = 1 << 20
"""The longest line without an end that is waited for; an INFO of a large cluster has some KiB."""

_MESSAGE = (b"MSG ", b"HMSG ")
_log = structlog.get_logger()


class Tap:
    """Interest in a subject, as nats-py sees it, and who takes its messages."""

    __slots__ = ()

    # What nats-py's client reads of its own Subscription objects, the same for every tap.
    _queue = ""
    _max_msgs = 0
    _received = 0
    _wait_for_msgs_task = None
    _message_iterator = None
    _pending_next_msgs_calls = None

    @property
    def _subject(self) -> str:
        raise NotImplementedError

    def take(self, subject: bytes, reply: bytes, header: bytes, payload: bytes) -> None:
        """Take a message, in the call stack of the read. `reply` and `header` are empty where it has none."""
        raise NotImplementedError


class SubjectTap(Tap):
    """Interest in one subject, which may hold wildcards; its messages go to a callable."""

    __slots__ = ("_receive", "_subject_text")

    def __init__(self, subject: str, receive: Receive) -> None:
        self._subject_text = subject
        self._receive = receive

    @property
    def _subject(self) -> str:
        return self._subject_text

    def take(self, subject: bytes, reply: bytes, header: bytes, payload: bytes) -> None:
        """Pass the message on."""
        self._receive(subject, reply, header, payload)


class ShareTap(SubjectTap):
    """A tap of which only one among all that share its subject gets each message."""

    __slots__ = ()
    _queue = "ringway"


class DirectParser(Parser):
    """Reads NATS's protocol; a message for a tap goes to it at once."""

    def __init__(self, wire: "Wire") -> None:
        self.lives = 0
        super().__init__(wire)

    def reset(self) -> None:
        """Forget a half-read message: the connection is a new one."""
        super().reset()
        self.lives += 1
        self._held = bytearray()
        self._wanted = 0

    async def parse(self, data: bytes = b"") -> None:
        """Take the next bytes from the server."""
        if self._held:
            self._held += data
            if len(self._held) < self._wanted:
                return
            data = bytes(self._held)
            self._held = bytearray()
        life = self.lives
        try:
            position, wanted = await self._messages(data)
        except (ValueError, IndexError) as error:
            raise ProtocolError from error
        if life == self.lives and position < len(data):
            self._held += data[position:] if position else data
            self._wanted = wanted

    async def _messages(self, data: bytes) -> tuple[int, int]:
        """Handle all complete messages; return where the incomplete rest begins, and how long it must get."""
        position = 0
        size = len(data)
        life = self.lives
        taps = self.nc._subs
        while position < size and life == self.lives:
            end_of_line = data.find(b"\r\n", position)
            if end_of_line < 0:
                if size - position > LINE_BYTES_MAX:
                    raise ProtocolError
                return position, size - position + 1
            body = end_of_line + 2
            if not data.startswith(_MESSAGE, position):
                self.buf = bytearray(data[position:body])
                await super().parse()
                position = body
                continue
            words = data[position:end_of_line].split()
            end = body + int(words[-1])
            if end + 2 > size:
                return position, end + 2 - position
            position = end + 2
            # MSG subject sid [reply] bytes, HMSG subject sid [reply] header-bytes bytes
            headed = len(words[0]) == 4
            header_end = body + int(words[-2]) if headed else body
            reply = words[3] if len(words) == (6 if headed else 5) else b""
            sid = int(words[2])
            tap = taps.get(sid)
            if isinstance(tap, Tap):
                try:
                    tap.take(words[1], reply, data[body:header_end], data[header_end:end])
                except Exception:
                    # The fault of one receiver must not end the connection of all.
                    _log.exception("a receiver of messages failed", subject=words[1].decode(errors="replace"))
            elif tap is not None:
                await self.nc._process_msg(sid, words[1], reply, data[header_end:end], data[body:header_end])
            else:
                self.nc.untap(sid)
        return position, 0


class _Pong:
    """Stands among nats-py's futures that wait for a PONG."""

    __slots__ = ("_then",)

    def __init__(self, then: Callable[[], None]) -> None:
        self._then = then

    def done(self) -> bool:
        return False

    def set_result(self, _: object) -> None:
        self._then()


class Transport(TcpTransport):
    """Bytes to and from a server, over TCP or TLS."""

    def __bool__(self) -> bool:
        return True  # else nats-py puts its own in place of one that is not connected yet

    async def connect(self, uri: ParseResult, buffer_size: int, connect_timeout: int) -> None:
        """Connect to host and port of `uri`, as all of Ringway connects."""
        host, port = str(uri.hostname), uri.port or PORT
        reader, writer = await connector().streams(host, port, connect_timeout, limit=buffer_size)
        self._bare_io_reader = self._io_reader = reader
        self._bare_io_writer = self._io_writer = writer

    async def readline(self) -> bytes:
        """Return a line of the greeting; raise `ConnectionError` where the server has hung up, `Error` for no line."""
        try:
            line: bytes = await super().readline()  # type: ignore[no-untyped-call]
        except ValueError:  # which would end nats-py's reconnecting for good
            raise Error("its greeting has no end") from None
        if not line:
            raise ConnectionResetError("it hung up")
        return line

    async def connect_tls(
        self, uri: str | ParseResult, ssl_context: ssl.SSLContext, buffer_size: int, connect_timeout: int
    ) -> None:
        """Go on in TLS over the TCP connection that stands."""
        loop = asyncio.get_running_loop()
        reader = asyncio.StreamReader(limit=buffer_size)
        protocol = asyncio.StreamReaderProtocol(reader)
        name = server_hostname(uri if isinstance(uri, str) else str(uri.hostname))
        assert self._io_writer is not None
        async with asyncio.timeout(connect_timeout):
            transport = await loop.start_tls(self._io_writer.transport, protocol, ssl_context, server_hostname=name)
        assert transport is not None
        # Which `start_tls` does not do. The protocol then knows that TLS has no half-closed streams: else the loop
        # warns at each end of a connection.
        protocol.connection_made(transport)
        self._io_reader = reader
        self._io_writer = asyncio.StreamWriter(transport, protocol, reader, loop)


class Wire(Client):
    """A connection to NATS that is kept up for ever, with taps in place of queues.

    With `tls_only` nothing is sent to a server before TLS stands, whatever the server says.
    """

    def __init__(self, *, tls_only: bool = False) -> None:
        super().__init__()
        self._ps = DirectParser(self)
        self._tls_only = tls_only
        self.outbox = Outbox(self._write)
        self.pause_s: Callable[[], float] = float
        """Says how long to wait before each attempt to reconnect."""
        self.on_loss: Callable[[], None] = _nothing
        """Called at the moment in which the connection is found to be lost."""
        self.on_return: Callable[[], None] = _nothing
        """Called after each reconnect, when all taps are known to the server again."""
        self.on_refusal: Callable[[str], None] = _ignore
        """Called with what the server says where a right is missing."""
        self._settled = True

    @property
    def up(self) -> bool:
        """Whether the connection stands, and the server knows all taps: it has confirmed them after a reconnect."""
        return self._settled and bool(self.is_connected)

    def returned(self) -> None:
        """Say that the server has confirmed all taps after a reconnect; nats-py's `reconnected_cb`."""
        self._settled = True
        self.on_return()

    def require(self) -> None:
        """Raise `EngineAway` where NATS is not up."""
        if not self.up:
            raise EngineAway("NATS cannot be reached at the moment; retry")

    @property
    def payload_bytes_max(self) -> int:
        """The largest payload that the server takes."""
        return int(self._max_payload)

    @property
    def server_info(self) -> dict[str, Any]:
        """What the server said of itself at the start of the connection."""
        return self._server_info

    def tap(self, tap: Tap) -> int:
        """Begin to take messages, now and after every reconnect; return the number to end it with."""
        self._sid += 1
        sid = self._sid
        if self.is_connected:
            self.outbox.send(b"SUB %b %b %d\r\n" % (tap._subject.encode(), tap._queue.encode(), sid))
        self._subs[sid] = tap  # type: ignore[assignment]  # a Tap has what is read there
        return sid

    def untap(self, sid: int) -> None:
        """Take no more messages. Also called for messages of unknown taps: an UNSUB may have been lost."""
        self._subs.pop(sid, None)
        if self.is_connected:
            with suppress(EngineAway):
                self.outbox.send(b"UNSUB %d\r\n" % sid)

    def send(self, subject: str, payload: bytes, reply: str = "", header: bytes = b"") -> None:
        """Publish `payload`, with a whole `header` if any, at the end of this loop turn. Raise `EngineAway`."""
        self.require()
        where = (subject.encode(), reply.encode())
        size = len(payload)
        if header:
            sizes = (len(header), len(header) + size)
            self.outbox.send(b"HPUB %b %b %d %d\r\n%b%b\r\n" % (*where, *sizes, header, payload))
        else:
            self.outbox.send(b"PUB %b %b %d\r\n%b\r\n" % (*where, size, payload))

    def _write(self, data: bytes, pong: Callable[[], None] | None) -> None:
        if not self.is_connected or self._transport is None:
            self.outbox.lost()
            return
        if pong is not None:
            self._pongs.append(_Pong(pong))  # type: ignore[arg-type]  # read in _process_pong alone
        self._transport.write(data)

    async def _process_pong(self) -> None:
        # nats-py sets the result of a future that its own timeout may have cancelled, which would raise.
        self._pings_outstanding = 0
        if self._pongs:
            pong = self._pongs.pop(0)
            if not pong.done():
                pong.set_result(True)

    async def _process_err(self, err_msg: str) -> None:
        # nats-py closes for good on most errors. An expired login or a server that is being changed passes.
        if "permissions violation" in err_msg:
            self.on_refusal(err_msg)
        else:
            _log.warning("nats reported an error", error=err_msg)
            await self._process_op_err(Error(err_msg))

    async def _process_op_err(self, e: Exception) -> None:
        if self.is_connected:
            self._drop()
            self._settled = False
            self.on_loss()
        await super()._process_op_err(e)
        self.outbox.lost()

    async def _connect_to_server(self, s: Srv) -> None:
        self._drop()  # of an attempt that failed during the handshake, nats-py leaves the socket open
        await asyncio.sleep(self.pause_s())
        self._transport = Transport()  # type: ignore[no-untyped-call]
        await super()._connect_to_server(s)

    async def _process_info(self, info: dict[str, Any], initial_connection: bool = False) -> None:
        # nats-py follows the server where that asks for no TLS: who sits between the two could ask so too.
        if initial_connection and self._tls_only and not self.options["tls_handshake_first"]:
            if not info.get("tls_required") and not info.get("tls_available"):
                raise OffersNoTls
            info["tls_required"] = True
        await super()._process_info(info, initial_connection=initial_connection)

    async def abandon(self) -> None:
        """End a connection that was never had; waiting for its end, as `close` does, could last for ever."""
        self._drop()
        self._transport = None
        await self.close()

    def _drop(self) -> None:
        # nats-py would wait until all that is buffered is sent, which a server that hangs never allows.
        writer = getattr(self._transport, "_io_writer", None)
        if writer is not None:
            abort_transport(writer.transport)

    async def _close(self, status: int, do_cbs: bool = True) -> None:
        await super()._close(status, do_cbs)
        self.outbox.lost()


def _nothing() -> None:
    """Stands for `on_loss` and `on_return` until they are set."""


def _ignore(_: str) -> None:
    """Stands for `on_refusal` until it is set."""

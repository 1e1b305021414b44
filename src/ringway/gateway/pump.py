"""The hot path of relays: an epoll of their own, and transports over bare sockets in it.

Most of what a relay costs is the kernel's: two reads and two writes a round trip. On the loop's own transports it costs
a little more than HAProxy's (measured with bench/relay.py). Here it costs some percent less with 100 connections, and a
tenth less with 1,000: one loop over the ready sockets receives, looks at the frame header and sends at once, while the
piece is in the cache, and by `recv` and `send`, which pass fewer layers of the kernel than `read` and `write`.

The epoll is itself a descriptor that the event loop watches: when any relay is ready, the loop calls `Pump._turn`,
which serves what is ready, at most `EVENTS_MAX` at a time, so that nothing else waits long.

What waits for a slow reader is bounded by one read: its writer is stopped as soon as anything waits.
"""

import asyncio
import select
import socket
from collections.abc import Callable
from typing import Any

import structlog

from ringway.protocol.frame import LONE_NEVER, Lone

EVENTS_MAX = 256
"""Ready sockets served in one turn: some milliseconds."""

READ_BYTES_MAX = 64 * 1024
"""Bytes taken from a socket at once."""

_IN = 1  # select.EPOLLIN; written out, since these are compared for every event
_OUT = 4  # select.EPOLLOUT


_log = structlog.get_logger()


def _nowhere(data: bytes) -> int:
    """Stands for the other end until there is one."""
    raise BlockingIOError


class End(asyncio.Transport):
    """A transport over a bare socket, for one end of a relay. Does what `asyncio.Transport` says, and `relay_to`.

    The socket is registered for what is waited for, and not at all while that is nothing.
    """

    __slots__ = (
        "_eof", "_events", "_fd", "_pending", "_protocol", "_pump", "_sock", "closing", "lone", "push", "recv", "send",
    )  # fmt: skip

    def __init__(self, pump: "Pump", sock: socket.socket) -> None:
        self._pump = pump
        self._sock = sock
        self._fd = sock.fileno()
        self._protocol = asyncio.Protocol()
        self._pending: bytearray | None = None
        self._events = 0
        self._eof = False  # the end of the stream was written, or is to be after `_pending`
        self.closing = False
        self.recv = sock.recv
        self.lone: Lone = LONE_NEVER
        """Which pieces go to `send` at once, without asking the protocol (see `protocol.frame`)."""
        self.send: Callable[[bytes], int] = _nowhere
        self.push: Callable[[bytes], None] = self.write

    def relay_to(self, other: asyncio.Transport) -> None:
        """Let the pieces that `lone` allows pass straight to `other`."""
        self.push = other.write
        if isinstance(other, End):
            self.send = other._sock.send
        else:

            def send(data: bytes) -> int:
                other.write(data)
                return len(data)

            self.send = send

    def set_protocol(self, protocol: asyncio.BaseProtocol) -> None:
        """Let `protocol` have what comes from now on."""
        assert isinstance(protocol, asyncio.Protocol)
        self._protocol = protocol
        self.lone = LONE_NEVER

    def get_extra_info(self, name: str, default: Any = None) -> Any:
        """Nothing is known here beside the socket."""
        return self._sock if name == "socket" else default

    def is_closing(self) -> bool:
        """Whether the connection is closed, or will be when what is pending is written."""
        return self.closing

    def get_write_buffer_size(self) -> int:
        """Bytes that the peer has not taken."""
        return len(self._pending) if self._pending is not None else 0

    def set_write_buffer_limits(self, high: int | None = None, low: int | None = None) -> None:
        """The limits are fixed: the protocol is paused while anything waits."""

    def can_write_eof(self) -> bool:
        """A stream can be ended."""
        return True

    def pause_reading(self) -> None:
        """Take no more bytes for now."""
        if self._fd >= 0:
            self._watch(self._events & ~_IN)

    def resume_reading(self) -> None:
        """Take bytes again."""
        if not self.closing:
            self._watch(self._events | _IN)

    def write(self, data: bytes | bytearray | memoryview) -> None:
        """Send `data`, now or when the peer takes it."""
        if self.closing or self._eof:
            return
        if self._pending is not None:
            self._pending += data
            return
        try:
            sent = self._sock.send(data)
        except (BlockingIOError, InterruptedError):
            sent = 0
        except OSError as error:
            self._end(error)
            return
        if sent < len(data):
            self._pending = bytearray(data[sent:])
            self._watch(self._events | _OUT)
            self._protocol.pause_writing()

    def write_eof(self) -> None:
        """End the stream to the peer, after what is pending."""
        if self._eof or self.closing:
            return
        self._eof = True
        if self._pending is None:
            self._shut()

    def close(self) -> None:
        """Close the connection, after what is pending."""
        if self.closing:
            return
        self.closing = True
        self._watch(self._events & ~_IN)
        if self._pending is None:
            self._end(None)

    def abort(self) -> None:
        """Close the connection now."""
        self._end(None)

    def ready(self, events: int) -> None:
        """Do what `events` allow, one by one: the way for all but the common case."""
        if events & _OUT and self._pending is not None:
            self._flush()
        if events & ~_OUT and self._events & _IN:
            try:
                data = self.recv(READ_BYTES_MAX)
            except OSError as error:
                self.failed(error)
            else:
                self.take(data)
        elif events & ~(_IN | _OUT) and self._pending is not None:
            self._flush()  # an error on a socket that is only written to

    def take(self, data: bytes) -> None:
        """Give `data` to the protocol; none is the end of the peer's stream."""
        if self._fd < 0:  # closed earlier in this turn
            return
        if data:
            self._protocol.data_received(data)
            return
        self._watch(self._events & ~_IN)
        if not self._protocol.eof_received():
            self.close()

    def failed(self, error: OSError) -> None:
        """Take note that receiving has failed."""
        if not isinstance(error, BlockingIOError | InterruptedError):
            self._end(error)

    def _flush(self) -> None:
        assert self._pending is not None
        try:
            sent = self._sock.send(self._pending)
        except (BlockingIOError, InterruptedError):
            return
        except OSError as error:
            self._end(error)
            return
        del self._pending[:sent]
        if self._pending:
            return
        self._pending = None
        self._watch(self._events & ~_OUT)
        if self.closing:
            self._end(None)
            return
        if self._eof:
            self._shut()
        self._protocol.resume_writing()

    def _shut(self) -> None:
        try:
            self._sock.shutdown(socket.SHUT_WR)
        except OSError as error:  # the peer has gone already
            self._end(error)

    def _watch(self, events: int) -> None:
        if events != self._events:
            self._pump.watch(self._fd, self._events, events)
            self._events = events

    def _end(self, error: OSError | None) -> None:
        """Forget the socket, and tell the protocol in the next turn of the loop."""
        if self._fd < 0:
            return
        self._watch(0)
        self.closing = True
        self._pending = None
        self.lone = LONE_NEVER
        self._pump.drop(self._fd, self._sock)
        self._fd = -1
        asyncio.get_running_loop().call_soon(self._lost, error)

    def _lost(self, error: OSError | None) -> None:
        self._protocol.connection_lost(error)


class Pump:
    """One epoll over the ends that pieces come from: one pump for each direction. `carried` counts what went straight.

    `AVAILABLE` says whether the system has what it needs.
    """

    AVAILABLE = hasattr(select, "epoll")

    def __init__(self) -> None:
        self.carried = 0
        self._loop = asyncio.get_running_loop()
        self._epoll = select.epoll()
        self._ends: dict[int, End] = {}
        self._dropped: list[tuple[int, socket.socket]] = []
        self._turning = False
        self._loop.add_reader(self._epoll.fileno(), self._turn)

    def adopt(self, transport: asyncio.Transport) -> asyncio.Transport:
        """Return an end over the connection of `transport`, which is used up; or `transport`, if it cannot be had so.

        That is the case under TLS, while bytes wait to be written, and where no descriptor is left. Reading must be
        paused, and is so at the new end.
        """
        if transport.get_extra_info("sslcontext") is not None or transport.get_write_buffer_size():
            return transport
        held = transport.get_extra_info("socket")
        try:
            fd = socket.dup(held.fileno())
        except OSError:
            return transport
        sock = socket.socket(held.family, socket.SOCK_STREAM, 0, fd)
        sock.setblocking(False)
        transport.set_protocol(asyncio.Protocol())
        transport.abort()  # closes one of two descriptors: the connection does not notice
        end = self._ends[fd] = End(self, sock)
        return end

    def close(self) -> None:
        """Serve nothing more. Idempotent."""
        if not self._epoll.closed:
            self._loop.remove_reader(self._epoll.fileno())
            self._epoll.close()

    def watch(self, fd: int, before: int, events: int) -> None:
        """Wait for `events` at `fd`, where `before` was waited for."""
        if self._epoll.closed:
            return
        if not before:
            self._epoll.register(fd, events)
        elif events:
            self._epoll.modify(fd, events)
        else:
            self._epoll.unregister(fd)

    def drop(self, fd: int, sock: socket.socket) -> None:
        """Forget and close a socket: after this turn, so that its number means no other connection within it."""
        self._dropped.append((fd, sock))
        if not self._turning:
            self._drop_all()

    def _drop_all(self) -> None:
        for fd, sock in self._dropped:
            del self._ends[fd]
            sock.close()
        self._dropped.clear()

    def _turn(self) -> None:
        """Serve the sockets that are ready. Hot: every step here is taken twice for each message and its answer."""
        ends = self._ends
        carried = 0
        self._turning = True
        for fd, events in self._epoll.poll(0, EVENTS_MAX):
            end = ends[fd]
            try:
                if events != 1:  # _IN
                    end.ready(events)
                    continue
                data = end.recv(READ_BYTES_MAX)
                try:
                    sent = end.send(data) if end.lone[data[0]][data[1]] == len(data) else -1
                except (IndexError, OSError):  # fewer than two bytes; or not sendable, which `take` finds again
                    sent = -1
                if sent == len(data):
                    carried += sent
                elif sent < 0:
                    end.take(data)
                else:
                    carried += len(data)
                    end.push(data[sent:])
            except OSError as error:
                end.failed(error)
            except Exception:
                _log.exception("a relay failed by a fault of the gateway")
                end.abort()
        self.carried += carried
        self._turning = False
        if self._dropped:
            self._drop_all()

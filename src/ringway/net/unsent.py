"""Unsent bytes of TCP sockets: their number, and a bound for the kernel's part of them.

Without a bound the kernel accepts megabytes for a peer that does not read (`tcp_wmem`), beside the bytes that a program
counts. With a bound (`TCP_NOTSENT_LOWAT`, tcp(7)) it accepts little more than it can send, without a loss of speed for
a quick peer. Linux and macOS have it. Accepted sockets inherit it from the listening socket.
"""

import array
import asyncio
import fcntl
import socket
import sys
import termios
from typing import Any

_OPTION: int | None = getattr(socket, "TCP_NOTSENT_LOWAT", None)


def bound_unsent(sock: Any, bytes_max: int) -> None:
    """Make the kernel accept at most about `bytes_max` that it cannot send yet; `sock` may be a loop's socket.

    If the system has no such bound, this does nothing.
    """
    if _OPTION is not None and sock.family in (socket.AF_INET, socket.AF_INET6):
        sock.setsockopt(socket.IPPROTO_TCP, _OPTION, bytes_max)


def unsent_bytes(transport: asyncio.Transport) -> int:
    """Return the number of bytes that were written to `transport` and are not known to have arrived.

    They are in the transport's buffer, and in the kernel's until the peer acknowledges them. The second number is known
    on Linux alone (SIOCOUTQ, tcp(7)), while the transport is open; elsewhere only the transport's buffer counts.
    """
    waiting = transport.get_write_buffer_size()
    sock = transport.get_extra_info("socket")
    if sock is None or transport.is_closing() or not sys.platform.startswith("linux"):
        return waiting
    size = array.array("i", [0])
    try:
        fcntl.ioctl(sock.fileno(), termios.TIOCOUTQ, size)
    except OSError:
        return waiting
    return waiting + size[0]

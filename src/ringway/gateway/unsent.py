"""Bytes that a connection still has to deliver: in the transport's buffer, and in the kernel's until acknowledged.

A deadline at the end of a connection is against peers that do nothing. One that still takes what it was sent, however
slowly, is given more time: cutting it off would lose what was sent before the end.
"""

import array
import asyncio
import fcntl
import sys
import termios


def unsent_bytes(transport: asyncio.Transport) -> int:
    """Return how many bytes were written to `transport` and are not known to have arrived; 0 where it is closed.

    What the kernel holds is known on Linux alone (SIOCOUTQ, tcp(7)); elsewhere only the transport's own buffer counts.
    """
    if transport.is_closing():
        return transport.get_write_buffer_size()
    return transport.get_write_buffer_size() + _in_kernel(transport)


def _in_kernel(transport: asyncio.Transport) -> int:
    sock = transport.get_extra_info("socket")
    if sock is None or not sys.platform.startswith("linux"):
        return 0
    size = array.array("i", [0])
    try:
        fcntl.ioctl(sock.fileno(), termios.TIOCOUTQ, size)
    except OSError:
        return 0
    return size[0]

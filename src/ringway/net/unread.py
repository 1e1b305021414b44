"""Unread bytes of a TCP socket: what its peer has sent and the loop has not read yet, while it was busy."""

import array
import asyncio
import fcntl
import termios


def unread_bytes(transport: asyncio.Transport) -> int:
    """Return how many bytes wait in the kernel to be read from `transport` (FIONREAD); 0 if that is not known."""
    sock = transport.get_extra_info("socket")
    if sock is None or transport.is_closing():
        return 0
    size = array.array("i", [0])
    try:
        fcntl.ioctl(sock.fileno(), termios.FIONREAD, size)
    except OSError:
        return 0
    return size[0]

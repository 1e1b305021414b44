"""Abortive close of a connection: unsent bytes are dropped, and never arrive.

After a normal close the kernel goes on sending what it holds, for minutes if the peer does not answer. When a network
comes back after an outage, the server would receive that data after the data of the next connection: publications out
of order, and publications whose publishers were told long ago that their outcome is unknown.
"""

import asyncio
import socket
from contextlib import suppress
from struct import pack

_AT_ONCE = pack("ii", 1, 0)  # struct linger: on, for 0 s. See socket(7), SO_LINGER.


def abort_transport(transport: asyncio.WriteTransport) -> None:
    """Abort `transport`, and have the kernel drop its unsent bytes. Does nothing if `transport` is closed already."""
    if transport.is_closing():
        return  # its file descriptor may belong to a new socket by now
    sock = transport.get_extra_info("socket")
    if sock is not None:
        with suppress(OSError):
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _AT_ONCE)
    transport.abort()

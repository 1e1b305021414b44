"""Ends a connection so that nothing that was written to it arrives any more.

A closed socket goes on sending what the kernel holds of it, for minutes if nobody answers. Where the network was
away and comes back, a server would get that behind what was sent over the next connection: publications out of order,
and some of which their publishers were told long ago that nobody knows.
"""

import asyncio
import socket
from contextlib import suppress
from struct import pack

_AT_ONCE = pack("ii", 1, 0)  # struct linger: on, for no time. See socket(7), SO_LINGER.


def cut(transport: asyncio.WriteTransport) -> None:
    """Abort `transport`, and let the kernel forget what it has not sent. Nothing is done to one that is closed."""
    if transport.is_closing():
        return  # its number may be another socket's by now
    sock = transport.get_extra_info("socket")
    if sock is not None:
        with suppress(OSError):
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _AT_ONCE)
    transport.abort()

"""Cork of a TCP socket: several writes leave together, so that the peer reads them at once if they are small.

Linux has it (TCP_CORK, tcp(7)). Elsewhere each write leaves by itself.
"""

import asyncio
import socket
from collections.abc import Iterator
from contextlib import contextmanager, suppress

_OPTION: int | None = getattr(socket, "TCP_CORK", None)


@contextmanager
def corked(transport: asyncio.Transport) -> Iterator[None]:
    """Send what is written to `transport` in the block when the block ends."""
    sock = transport.get_extra_info("socket")
    if _OPTION is None or sock is None or transport.is_closing():
        yield
        return
    with suppress(OSError):
        sock.setsockopt(socket.IPPROTO_TCP, _OPTION, 1)
    try:
        yield
    finally:
        with suppress(OSError):
            sock.setsockopt(socket.IPPROTO_TCP, _OPTION, 0)

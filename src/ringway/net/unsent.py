"""Unsent bytes of TCP sockets: how many the kernel takes beside those that are on their way to the peer.

Without a bound it takes megabytes for a peer that does not read (`tcp_wmem`), beside what a program counts. With one
(`TCP_NOTSENT_LOWAT`, tcp(7)) it takes little more than it can send, and a quick peer is sent to as fast as ever. Linux
and macOS have it. Sockets that are accepted inherit it from the one that listens.
"""

import socket
from typing import Any

_OPTION: int | None = getattr(socket, "TCP_NOTSENT_LOWAT", None)


def bound_unsent(sock: Any, bytes_max: int) -> None:
    """Have the kernel take no more than about `bytes_max` that it cannot send yet; `sock` is a socket, or an event
    loop's view of one. Where the system knows no such bound, nothing is done."""
    if _OPTION is not None and sock.family in (socket.AF_INET, socket.AF_INET6):
        sock.setsockopt(socket.IPPROTO_TCP, _OPTION, bytes_max)

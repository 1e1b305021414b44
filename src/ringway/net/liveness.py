"""Liveness of TCP peers: a peer whose network is gone is noticed in bounded time, also if nothing is sent to it.

Without this, a connection to a vanished machine stays for ever if no data is sent, and for a quarter of an hour with
unacknowledged data. An idle peer is checked by keepalive probes (RFC 9293, 3.8.4), and sent data must be acknowledged
within the same time (`TCP_USER_TIMEOUT`, RFC 5482).

Accepted sockets inherit all options from the listening socket, so a crowd adds no cost.
"""

import os
import socket
from collections.abc import Iterable
from contextlib import suppress

PROBES = 3
"""Unanswered probes after which a peer is given up, so that a lost packet or two do not end a connection."""


def watch_peer(fileno: int, idle_s: int) -> None:
    """Make the kernel probe the peer of a TCP socket after `idle_s` of silence, and give it up after twice that time.

    0 leaves the system's settings. Options that the system does not know are left out, and so are other sockets.
    """
    if not idle_s:
        return
    with suppress(OSError), socket.socket(fileno=os.dup(fileno)) as sock:
        if sock.family not in (socket.AF_INET, socket.AF_INET6):
            return
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
        for name, value in (
            ("TCP_KEEPIDLE", idle_s),
            ("TCP_KEEPINTVL", max(1, idle_s // PROBES)),
            ("TCP_KEEPCNT", PROBES),
            ("TCP_USER_TIMEOUT", 2000 * idle_s),
        ):
            option = getattr(socket, name, None)
            if option is not None:
                sock.setsockopt(socket.IPPROTO_TCP, option, value)


def watch_peers_of(listeners: Iterable[socket.socket], idle_s: int) -> None:
    """Call `watch_peer` for all connections that `listeners` will accept."""
    for listener in listeners:
        watch_peer(listener.fileno(), idle_s)

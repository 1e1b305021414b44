"""Liveness of TCP peers: a peer whose network is gone is noticed in bounded time, whether or not it was being sent to.

Without this a connection to a machine that vanished stays for ever while nobody sends, and for a quarter of an hour
while somebody does. An idle peer is asked by keepalive probes (RFC 9293, 3.8.4), and what was sent must be acknowledged
in the same time (`TCP_USER_TIMEOUT`, RFC 5482).

Sockets that are accepted inherit all of it from the one that listens, so a crowd costs nothing more.
"""

import os
import socket
from collections.abc import Iterable
from contextlib import suppress

PROBES = 3
"""Unanswered probes after which a peer is given up, so that a lost packet or two do not end a connection."""


def watch_peer(fileno: int, idle_s: int) -> None:
    """Have the kernel probe the peer of a TCP socket after `idle_s` of silence, and give it up after twice of that.

    0: as the system does. What a system does not know is left out, as are sockets that are not TCP.
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
    """Do so for all connections that `listeners` will accept."""
    for listener in listeners:
        watch_peer(listener.fileno(), idle_s)

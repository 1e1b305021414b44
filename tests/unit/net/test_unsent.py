"""Unsent bytes: how many the kernel accepts for a peer that does not read."""

import socket

import pytest

from ringway.net.unsent import bound_unsent

pytestmark = pytest.mark.skipif(not hasattr(socket, "TCP_NOTSENT_LOWAT"), reason="this system knows no such bound")


def taken(bytes_max: int) -> int:
    """Return how many bytes the kernel accepts on a connection that a socket with this bound accepted."""
    with socket.create_server(("127.0.0.1", 0)) as listener, socket.socket() as client:
        bound_unsent(listener, bytes_max)
        client.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        client.connect(listener.getsockname())
        server, _ = listener.accept()
        with server:
            server.setblocking(False)
            size = 0
            try:
                while size < 16_000_000:
                    size += server.send(bytes(8192))
            except BlockingIOError:
                pass
            return size


def test_an_accepted_connection_has_the_bound_of_the_one_that_listens() -> None:
    assert taken(64 * 1024) < 500_000 < taken(1 << 30)


def test_sockets_that_are_not_tcp_are_left_alone() -> None:
    left, right = socket.socketpair()
    with left, right:
        bound_unsent(left, 4096)

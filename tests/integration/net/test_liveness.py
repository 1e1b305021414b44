"""Peers whose network is taken away are given up in bounded time."""

import socket
from contextlib import closing

import pytest

from ringway.gateway.config.gateway import GatewayConfig
from ringway.net.liveness import watch_peer, watch_peers_of

OPTIONS = (socket.TCP_KEEPIDLE, socket.TCP_KEEPINTVL, socket.TCP_KEEPCNT, socket.TCP_USER_TIMEOUT)


def watched(sock: socket.socket) -> tuple[int, ...]:
    return tuple(sock.getsockopt(socket.IPPROTO_TCP, option) for option in OPTIONS)


@pytest.mark.parametrize("idle_s", [1, 30], ids=["short", "default"])
def test_what_is_accepted_is_watched_as_the_listener_says(idle_s: int) -> None:
    with closing(socket.create_server(("127.0.0.1", 0))) as listener:
        watch_peers_of([listener], idle_s)
        with closing(socket.create_connection(listener.getsockname())), closing(listener.accept()[0]) as accepted:
            assert accepted.getsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE) == 1
            assert watched(accepted) == (idle_s, max(1, idle_s // 3), 3, 2000 * idle_s)


def test_it_can_be_left_to_the_system() -> None:
    with closing(socket.create_server(("127.0.0.1", 0))) as listener:
        watch_peers_of([listener], 0)
        assert listener.getsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE) == 0


def test_other_sockets_are_let_alone() -> None:
    one, other = socket.socketpair()
    with closing(one), closing(other):
        watch_peer(one.fileno(), 5)
        assert one.getsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE) == 0


def test_it_is_on_by_default() -> None:
    assert GatewayConfig().tcp_keepalive_s == 30

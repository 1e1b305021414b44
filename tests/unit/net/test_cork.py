"""The cork: what is written under it arrives together."""

import socket
from types import SimpleNamespace

import pytest

from ringway.net.cork import corked


@pytest.fixture
def connected():
    """A TCP connection: a transport's socket, and its peer."""
    with socket.create_server(("127.0.0.1", 0)) as listener, socket.socket() as peer:
        peer.connect(listener.getsockname())
        server, _ = listener.accept()
        with server:
            yield server, peer


def transport_of(sock: socket.socket | None) -> SimpleNamespace:
    return SimpleNamespace(get_extra_info=lambda name: sock, is_closing=lambda: False)


@pytest.mark.skipif(not hasattr(socket, "TCP_CORK"), reason="this system has no such option")
def test_two_writes_under_a_cork_arrive_as_one(connected) -> None:
    server, peer = connected
    with corked(transport_of(server)):  # type: ignore[arg-type]
        server.send(b"answer")
        peer.setblocking(False)
        with pytest.raises(BlockingIOError):
            peer.recv(100)
        server.send(b"close")
    peer.settimeout(30)
    assert peer.recv(100) == b"answerclose"
    server.send(b"more")
    assert peer.recv(100) == b"more", "without the cork each write leaves at once"


def test_without_a_socket_there_is_no_cork() -> None:
    with corked(transport_of(None)):  # type: ignore[arg-type]
        pass

"""Unread bytes: what a peer has sent and a busy loop has not read yet."""

import asyncio
import socket
from types import SimpleNamespace

from ringway.net.unread import unread_bytes


def test_without_a_socket_nothing_is_known_to_be_unread() -> None:
    nothing = SimpleNamespace(get_extra_info=lambda name: None, is_closing=lambda: False)
    assert unread_bytes(nothing) == 0  # type: ignore[arg-type]


async def test_what_a_transport_has_not_read_yet_is_counted() -> None:
    loop = asyncio.get_running_loop()
    left, right = socket.socketpair()
    with right:
        transport, _ = await loop.create_connection(asyncio.Protocol, sock=left)
        transport.pause_reading()
        right.send(b"question")
        assert unread_bytes(transport) == len(b"question")
        transport.abort()
        assert unread_bytes(transport) == 0

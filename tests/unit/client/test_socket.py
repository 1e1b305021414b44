"""The queue of a socket, over a wire that the test plays."""

import pytest

from ringway.client.socket import Socket
from ringway.errors import ConnectionClosed
from ringway.protocol.frame import BINARY, TEXT


class Wire:
    def __init__(self) -> None:
        self.is_open = True
        self.reading = True
        self.close_code: int | None = None
        self.close_reason = ""
        self.failure = None

    def read(self, wanted: bool) -> None:
        self.reading = wanted


def open_socket(max_queue: int | None) -> tuple[Socket, Wire]:
    socket = Socket(max_queue=max_queue, ping_interval=None, ping_timeout=None)
    wire = Wire()
    socket.opened(wire)  # type: ignore[arg-type]
    return socket, wire


def fill(socket: Socket, count: int) -> None:
    for number in range(count):
        socket.received(BINARY, bytes([number]))


async def test_reading_stops_when_the_queue_is_full_and_goes_on_at_a_quarter() -> None:
    socket, wire = open_socket(8)
    fill(socket, 7)
    assert wire.reading
    fill(socket, 1)
    assert not wire.reading
    for _ in range(5):
        await socket.recv()
    assert not wire.reading
    await socket.recv()
    assert wire.reading


async def test_what_had_been_read_already_is_taken_in() -> None:
    socket, _ = open_socket(2)
    fill(socket, 10)
    assert [await socket.recv() for _ in range(10)] == [bytes([number]) for number in range(10)]


async def test_after_close_what_has_no_room_goes() -> None:
    socket, wire = open_socket(2)
    fill(socket, 1)
    wire.is_open = False
    fill(socket, 10)
    wire.close_code = 1000
    socket.closed(1000, "")
    assert [await socket.recv(), await socket.recv()] == [b"\x00", b"\x00"]
    with pytest.raises(ConnectionClosed):
        await socket.recv()


async def test_without_a_bound_reading_never_stops() -> None:
    socket, wire = open_socket(None)
    fill(socket, 200)
    assert wire.reading


async def test_text_is_a_string_and_binary_is_bytes() -> None:
    socket, _ = open_socket(8)
    socket.received(TEXT, "ü".encode())
    socket.received(BINARY, "ü".encode())
    assert [await socket.recv(), await socket.recv()] == ["ü", "ü".encode()]

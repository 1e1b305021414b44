"""Data that a wire sends while its peer does not read, over a transport that the test plays."""

from typing import Any

import pytest

from ringway.client.wire import Wire
from ringway.errors import ConnectionClosed
from ringway.protocol.close import NORMAL
from ringway.protocol.frame import PING, PONG, TEXT


class Frame:
    rsv1 = rsv2 = rsv3 = False
    fin = True

    def __init__(self, opcode: int, payload: bytes) -> None:
        self.msg_type = opcode
        self._payload = payload

    def get_payload_as_bytes(self) -> bytes:
        return self._payload


class Socket:
    def resume_reading(self) -> None:
        """Nothing is read."""


class Transport:
    is_disconnected = False
    underlying_transport = Socket()

    def __init__(self) -> None:
        self.sent: list[tuple[int, bytes]] = []

    def send(self, opcode: int, payload: bytes) -> None:
        self.sent.append((int(opcode), payload))


class Receiver:
    def opened(self, wire: Wire) -> None:
        """Nothing is done with it."""

    def received(self, opcode: int, payload: bytes) -> None:
        """Nothing is done with it."""


@pytest.fixture
def transport() -> Any:
    return Transport()


@pytest.fixture
async def wire(transport: Any) -> Wire:
    made = Wire(Receiver(), 1 << 20, 1.0)  # type: ignore[arg-type]
    made.on_ws_connected(transport)
    return made


def ping(wire: Wire, transport: Any, payload: bytes) -> None:
    wire.on_ws_frame(transport, Frame(PING, payload))  # type: ignore[arg-type]


async def test_pings_are_answered_each_as_long_as_pongs_are_read(wire: Wire, transport: Any) -> None:
    ping(wire, transport, b"1")
    ping(wire, transport, b"2")
    assert transport.sent == [(PONG, b"1"), (PONG, b"2")]


async def test_of_pings_whose_pongs_are_not_read_the_newest_alone_is_answered(wire: Wire, transport: Any) -> None:
    """RFC 6455, 5.5.3."""
    wire.pause_writing()
    for number in range(1000):
        ping(wire, transport, b"%d" % number)
        wire.send_newest(TEXT, b"{}")
    assert transport.sent == []
    wire.resume_writing()
    assert sorted(transport.sent) == [(TEXT, b"{}"), (PONG, b"999")]
    ping(wire, transport, b"more")
    assert transport.sent[-1] == (PONG, b"more")


async def test_nothing_that_was_kept_back_is_sent_behind_a_close(wire: Wire, transport: Any) -> None:
    wire.pause_writing()
    ping(wire, transport, b"1")
    wire.finish(NORMAL)
    wire.resume_writing()
    assert [opcode for opcode, _ in transport.sent] == [8]
    with pytest.raises(ConnectionClosed):
        wire.send(TEXT, b"late")

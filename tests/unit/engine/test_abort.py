import asyncio
import socket

import pytest
import uvloop

from ringway.engine.abort import abort_transport

SIZE = 4 << 20


async def arrived_after_a_cut() -> int:
    """Write more than a connection's buffers hold, abort it, and return how many bytes arrive."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        _, writer = await asyncio.open_connection(*server.getsockname())
        peer, _ = server.accept()
        writer.write(b"x" * SIZE)
        await asyncio.sleep(0.05)
        abort_transport(writer.transport)
        abort_transport(writer.transport)
        await asyncio.sleep(0.05)
        with peer:
            return received(peer)


def received(peer: socket.socket) -> int:
    """Read to the end, which must be a reset; return the number of bytes before it."""
    peer.settimeout(5)
    count = 0
    try:
        while data := peer.recv(1 << 16):
            count += len(data)
    except ConnectionResetError:
        return count
    raise AssertionError(f"after {count} bytes the connection ended in order")


async def cut_when_the_peer_has_closed() -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        reader, writer = await asyncio.open_connection(*server.getsockname())
        writer.get_extra_info("socket")  # uvloop keeps what it gave, its number too
        server.accept()[0].close()
        await reader.read()
        writer.transport.abort()
        await asyncio.sleep(0.05)
        with socket.socket() as other:  # takes the number that the connection had
            before = other.getsockopt(socket.SOL_SOCKET, socket.SO_LINGER, 8)
            abort_transport(writer.transport)
            assert other.getsockopt(socket.SOL_SOCKET, socket.SO_LINGER, 8) == before


LOOPS = pytest.mark.parametrize(
    "loop_factory", [asyncio.new_event_loop, uvloop.new_event_loop], ids=["asyncio", "uvloop"]
)


@LOOPS
def test_what_is_not_sent_yet_never_arrives(loop_factory):
    with asyncio.Runner(loop_factory=loop_factory) as runner:
        assert runner.run(arrived_after_a_cut()) < SIZE


@LOOPS
def test_a_connection_that_is_closed_is_let_alone(loop_factory):
    with asyncio.Runner(loop_factory=loop_factory) as runner:
        runner.run(cut_when_the_peer_has_closed())

import asyncio
import socket

import pytest
import uvloop

from ringway.engine.cut import cut

SIZE = 4 << 20


async def arrived_after_a_cut() -> int:
    """Write more than a connection holds, cut it, and return how much of it arrives."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        _, writer = await asyncio.open_connection(*server.getsockname())
        peer, _ = server.accept()
        writer.write(b"x" * SIZE)
        await asyncio.sleep(0.05)
        cut(writer.transport)
        cut(writer.transport)
        await asyncio.sleep(0.05)
        with peer:
            return received(peer)


def received(peer: socket.socket) -> int:
    """Read to the end, which must be a reset; return how much came before it."""
    peer.settimeout(5)
    count = 0
    try:
        while data := peer.recv(1 << 16):
            count += len(data)
    except ConnectionResetError:
        return count
    raise AssertionError(f"after {count} bytes the connection ended in order")


@pytest.mark.parametrize("loop_factory", [asyncio.new_event_loop, uvloop.new_event_loop], ids=["asyncio", "uvloop"])
def test_what_is_not_sent_yet_never_arrives(loop_factory):
    with asyncio.Runner(loop_factory=loop_factory) as runner:
        assert runner.run(arrived_after_a_cut()) < SIZE

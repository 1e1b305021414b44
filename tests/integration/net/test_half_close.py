"""Half-close of real sockets, whatever their peers do at the same moment."""

import asyncio
import socket
import struct

import pytest
import uvloop

from ringway.net.half_close import end_stream

PATIENCE_S = 20


class Told(asyncio.Protocol):
    """A protocol that knows whether its connection is lost."""

    def __init__(self) -> None:
        self.lost = asyncio.get_running_loop().create_future()

    def eof_received(self) -> bool:
        return True

    def connection_lost(self, exc: Exception | None) -> None:
        self.lost.set_result(exc)


@pytest.mark.parametrize("new_loop", [asyncio.new_event_loop, uvloop.new_event_loop], ids=["asyncio", "uvloop"])
@pytest.mark.parametrize("reset", [True, False], ids=["reset", "open"])
def test_the_end_of_a_stream_is_no_error_and_a_reset_is_told(new_loop, reset) -> None:  # type: ignore[no-untyped-def]
    async def scene() -> None:
        with socket.create_server(("127.0.0.1", 0)) as listener:
            here = socket.create_connection(listener.getsockname())
            there, _ = listener.accept()
        here.setblocking(False)
        transport, protocol = await asyncio.get_running_loop().create_connection(Told, sock=here)
        with there:
            if reset:
                there.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
                there.close()
            assert end_stream(transport)
            if not reset:
                there.settimeout(PATIENCE_S)
                assert await asyncio.to_thread(there.recv, 1) == b""
                transport.abort()
            await asyncio.wait_for(protocol.lost, PATIENCE_S)

    loop = new_loop()
    try:
        loop.run_until_complete(scene())
    finally:
        loop.close()

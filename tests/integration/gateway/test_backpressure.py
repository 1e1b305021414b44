"""A slow reader stops its writer, in both directions, and the gateway's memory stays bounded."""

import asyncio
import socket

import pytest
from gateway_kit import answer_101, handshake, masked, raw_backend, read_head, resident_bytes, settled

CHUNK = masked(0x82, b"\0" * 60_000) * 16
PLAIN = (b"\x82\x7e" + (60_000).to_bytes(2, "big") + b"\0" * 60_000) * 16
MIB = 1 << 20


class Pump:
    """Writes as much as the kernel accepts, on bare sockets: nothing is buffered in this process."""

    def __init__(self, sock: socket.socket, data: bytes) -> None:
        self.sent = 0
        self._sock = sock
        self._data = data

    async def run(self) -> None:
        loop = asyncio.get_running_loop()
        while True:
            await loop.sock_sendall(self._sock, self._data)
            self.sent += len(self._data)


@pytest.fixture
async def pair(start_rig):
    """A client's and a backend's bare sockets, joined by a relay; small buffers in the kernel."""
    loop = asyncio.get_running_loop()
    listener = socket.create_server(("127.0.0.1", 0))
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 65536)
    listener.setblocking(False)
    rig = await start_rig(f"ws://127.0.0.1:{listener.getsockname()[1]}")
    client = socket.socket()
    client.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 65536)
    client.setblocking(False)
    await loop.sock_connect(client, ("127.0.0.1", rig.gateway.port))
    await loop.sock_sendall(client, handshake())
    backend, _ = await loop.sock_accept(listener)
    backend.setblocking(False)
    head = b""
    while b"\r\n\r\n" not in head:
        head += await loop.sock_recv(backend, 4096)
    await loop.sock_sendall(backend, answer_101(head))
    assert (await loop.sock_recv(client, 4096)).startswith(b"HTTP/1.1 101")
    yield rig, client, backend
    for sock in (client, backend, listener):
        sock.close()
    await rig.idle()


@pytest.mark.parametrize("to_node", [True, False])
async def test_a_reader_that_stops_stops_its_writer(pair, to_node):
    rig, client, backend = pair
    writer, reader = (client, backend) if to_node else (backend, client)
    before = resident_bytes()
    pump = Pump(writer, CHUNK if to_node else PLAIN)
    pumping = asyncio.create_task(pump.run())
    await settled(lambda: pump.sent)
    stalled = pump.sent
    assert stalled < 64 * MIB
    assert resident_bytes() - before < 8 * MIB
    loop = asyncio.get_running_loop()
    got = 0
    async with asyncio.timeout(30):
        while got < stalled + 4 * MIB:
            got += len(await loop.sock_recv(reader, MIB))
    assert pump.sent > stalled  # and it went on
    assert resident_bytes() - before < 16 * MIB
    pumping.cancel()
    await asyncio.gather(pumping, return_exceptions=True)
    assert not rig.stats.cut


async def test_a_stalled_client_is_cut_with_its_node(start_rig):
    async def flood(reader, writer):
        writer.write(answer_101(await read_head(reader)))
        while True:
            writer.write(PLAIN)
            await writer.drain()

    async with raw_backend(flood) as url:
        rig = await start_rig(url, stop_deadline_s=0.3, linger_s=0.3)
        client = await rig.dial()
        client.writer.transport.pause_reading()
        await client.send(handshake())
        await settled(lambda: (rig.gateway.relays.tally(), rig.stats.bytes_to_client)[1])
        await rig.gateway.stop()
        assert rig.stats.relays_open == 0

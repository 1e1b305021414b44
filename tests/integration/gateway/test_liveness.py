"""Peers that vanish without a word, and relays over which nothing is carried."""

import asyncio
import socket
import sys
from asyncio.subprocess import PIPE

import pytest
from gateway_kit import PATIENCE_S, answer_101, eventually, handshake, raw_backend, read_head

from support.netns import namespace, why_not

CLIENTS = 20

FAR = """
import socket, sys
sockets = []
for _ in range(int(sys.argv[3])):
    sock = socket.create_connection((sys.argv[1], int(sys.argv[2])))
    sock.sendall(bytes.fromhex(sys.argv[4]))
    assert b" 101 " in sock.recv(4096)
    sockets.append(sock)
print("open", flush=True)
sys.stdin.read()
"""


async def stay(reader, writer):
    writer.write(answer_101(await read_head(reader)))
    await reader.read()


@pytest.mark.skipif(bool(why_not()), reason=why_not())
async def test_clients_whose_network_is_taken_away_are_given_up(start_rig):
    with namespace() as place:
        async with raw_backend(stay) as url:
            rig = await start_rig(url, host=place.near, tcp_keepalive_s=1)
            command = place.enter(sys.executable, "-c", FAR, place.near, str(rig.gateway.port), str(CLIENTS))
            far = await asyncio.create_subprocess_exec(*command, handshake().hex(), stdin=PIPE, stdout=PIPE)
            try:
                assert far.stdout is not None
                assert await asyncio.wait_for(far.stdout.readline(), PATIENCE_S) == b"open\n"
                assert rig.stats.relays_open == CLIENTS
                with place.cut("both", [rig.gateway.port]):
                    await eventually(lambda: rig.stats.relays_open == 0, 3 * PATIENCE_S)
            finally:
                far.kill()
                await far.wait()


async def test_connections_to_backends_are_watched_as_well(start_rig):
    async with raw_backend(stay) as url:
        rig = await start_rig(url, tcp_keepalive_s=7)
        client = await rig.dial()
        await client.send(handshake())
        assert (await client.head())[0] == 101
        (relay,) = rig.gateway.relays
        for end in (relay.client, relay.node):
            sock = end.transport.get_extra_info("socket")
            assert sock.getsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE) == 1
            assert sock.getsockopt(socket.IPPROTO_TCP, socket.TCP_KEEPIDLE) == 7
            assert sock.getsockopt(socket.IPPROTO_TCP, socket.TCP_USER_TIMEOUT) == 14_000


async def test_a_relay_that_carries_nothing_is_ended_where_that_is_wanted(start_rig):
    async with raw_backend(stay) as url:
        rig = await start_rig(url, relay_idle_s=0.5)
        client = await rig.dial()
        await client.send(handshake())
        assert (await client.head())[0] == 101
        first, payload = await client.frame()
        assert (first, payload[:2]) == (0x88, (1001).to_bytes(2, "big"))
        await client.rest()
        await rig.idle()
        assert rig.stats.cut["idle"] == 1

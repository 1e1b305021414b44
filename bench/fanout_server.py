"""Server of the fan-out benchmark, as a process of its own: `fanout_server.py node|websockets|aiohttp`.

Prints its port as a JSON line, then obeys JSON lines on standard input:

    {"do": "join", "count": N}                       wait until N subscribers are there
    {"do": "round", "publications": P, "turn": T}    publish P times to all, T in one loop turn; prints its CPU time
    {"do": "bare", "publications": P}                (node) the same bytes to the same sockets, by a loop of send(2)

CPU time is that of the whole process, from before the first publication of a round until everything was handed to the
kernel. Publications reach the node's fan-out through the engine's `deliver`, as they do in production.
"""

import asyncio
import gc
import json
import os
import random
import socket
import sys
import time
from collections.abc import Awaitable, Callable
from typing import Any

import uvloop

from ringway.engine.memory.engine import MemoryHub
from ringway.logger import SILENT, get_logger
from ringway.member.publication_proofs import PublicationProofs
from ringway.member.sealed_channels import SealedBroker
from ringway.node.config.node import NodeConfig
from ringway.node.server import ChannelNode
from ringway.protocol.codec import encode_pushes
from ringway.protocol.envelope import PUBLICATION, Origin, body_of
from ringway.protocol.frame import TEXT, server_frame
from ringway.protocol.keyring import Keyring
from ringway.types import Channel, Incarnation, NodeName

CHANNEL = Channel("bench")
KEYRING = Keyring(b"bench")
ORIGIN = Origin(KEYRING, Incarnation("0000000a"), time.time)
BODY = b'{"data":"' + b"x" * 128 + b'"}'
FIRST = 1_000_000_000
"""The offset before the first publication: all offsets have as many digits, so that arrivals are counted in bytes."""

MESSAGE = encode_pushes(CHANNEL, [body_of(ORIGIN.seal(PUBLICATION, CHANNEL, BODY), FIRST)])
PAUSE_S = 0.002
"""The pause between two turns: readers must catch up, or a full buffer is measured."""

Publish = Callable[[int], Awaitable[None]]


class Latest(random.Random):
    """Draws the latest moment: no first ping of 1,000 falls into the run, since its bytes would be counted."""

    def uniform(self, a: float, b: float) -> float:
        return b


class Node:
    """Our node; its engine would call `deliver`."""

    async def start(self) -> int:
        engine = MemoryHub().open()
        config = NodeConfig(
            insecure=True,
            ping_interval_s=3600,
            shed_handshakes=False,
            allowed_hosts=("*",),
            namespaces=("default:history_size=100",),
        )
        self._node = ChannelNode(config, NodeName("n1"), Incarnation("00000001"), engine, KEYRING, rng=Latest())
        await self._node.start()
        proofs = PublicationProofs(KEYRING, self._node.refusals)
        self._deliver = SealedBroker(engine.broker, proofs).proving(self._node.clients.channels.deliver)
        self._newest = 0  # the channel is empty
        self._bare: list[Callable[[bytes], int]] = []
        return self._node.port

    def joined(self) -> int:
        return self._node.hub.count(CHANNEL)

    async def publish(self, turn: int) -> None:
        for _ in range(turn):
            offset = max(self._newest, FIRST) + 1
            self._deliver(CHANNEL, ORIGIN.seal(PUBLICATION, CHANNEL, BODY), offset, self._newest)
            self._newest = offset
        await asyncio.sleep(0)

    async def bare(self, turn: int) -> None:
        """The reference: only the same frame to the same sockets."""
        if not self._bare:
            self._bare = [socket.socket(fileno=os.dup(fd)).send for fd in self._descriptors()]
        frame = server_frame(TEXT, MESSAGE)
        for _ in range(turn):
            for send in self._bare:
                send(frame)
        await asyncio.sleep(0)

    def _descriptors(self) -> list[int]:
        transports = [connection._transport for connection in self._node.clients.registry]
        return [t.underlying_transport.get_extra_info("socket").fileno() for t in transports if t is not None]


class Websockets:
    """The `websockets` library with its `broadcast`."""

    async def start(self) -> int:
        from websockets.asyncio.server import broadcast, serve

        self._connections: set[Any] = set()
        self._broadcast = broadcast

        async def handler(connection: Any) -> None:
            self._connections.add(connection)
            await connection.wait_closed()

        self._server = await serve(handler, "127.0.0.1", 0, compression=None, ping_interval=None, backlog=4096)
        return next(iter(self._server.sockets)).getsockname()[1]  # type: ignore[no-any-return]

    def joined(self) -> int:
        return len(self._connections)

    async def publish(self, turn: int) -> None:
        message = MESSAGE.decode()
        for _ in range(turn):
            self._broadcast(self._connections, message)
        await asyncio.sleep(0)


class Aiohttp:
    """aiohttp, with the loop over its connections that its users write."""

    async def start(self) -> int:
        from aiohttp import web

        self._connections: set[web.WebSocketResponse] = set()

        async def handler(request: web.Request) -> web.WebSocketResponse:
            response = web.WebSocketResponse(compress=False)
            await response.prepare(request)
            self._connections.add(response)
            async for _ in response:
                pass
            return response

        app = web.Application()
        app.router.add_get("/connection/websocket", handler)
        self._runner = web.AppRunner(app, access_log=None)
        await self._runner.setup()
        site = web.TCPSite(self._runner, "127.0.0.1", 0, backlog=4096)
        await site.start()
        return self._runner.addresses[0][1]  # type: ignore[no-any-return]

    def joined(self) -> int:
        return len(self._connections)

    async def publish(self, turn: int) -> None:
        message = MESSAGE.decode()
        for _ in range(turn):
            for connection in self._connections:
                await connection.send_str(message)
        await asyncio.sleep(0)


async def measure(publish: Publish, publications: int, turn: int) -> float:
    """CPU seconds of `publications`, `turn` at a time."""
    used = 0.0
    for _ in range(0, publications, turn):
        began = time.process_time()
        await publish(turn)
        used += time.process_time() - began
        await asyncio.sleep(PAUSE_S * turn)
    return used


async def serve(kind: str) -> None:
    server = {"node": Node, "websockets": Websockets, "aiohttp": Aiohttp}[kind]()
    say(port=await server.start(), bytes=len(MESSAGE))
    reader = asyncio.StreamReader()
    await asyncio.get_running_loop().connect_read_pipe(lambda: asyncio.StreamReaderProtocol(reader), sys.stdin)
    gc.disable()  # a collection in one round and not in another would be noise
    while line := await reader.readline():
        order = json.loads(line)
        if order["do"] == "join":
            while server.joined() < order["count"]:
                await asyncio.sleep(0.01)
            say(joined=server.joined())
        else:
            publish = server.publish if order["do"] == "round" else server.bare  # type: ignore[union-attr]
            gc.collect()
            say(cpu_s=await measure(publish, order["publications"], order["turn"]))


def say(**values: object) -> None:
    print(json.dumps(values), flush=True)


if __name__ == "__main__":
    get_logger().level = SILENT  # standard output is for the answers
    os.sched_setaffinity(0, {0})
    uvloop.run(serve(sys.argv[1]))

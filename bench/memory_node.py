"""Node of the memory benchmark, as a process of its own: `memory_node.py NATS_URL`.

Prints its port; then, at each line of its input, its numbers of connections and channels. Ends with its input.
"""

import asyncio
import gc
import os
import sys

import uvloop

from ringway.engine.nats.opening import open_nats
from ringway.logger import SILENT, get_logger
from ringway.node.config.node import NodeConfig
from ringway.node.server import ChannelNode
from ringway.protocol.keyring import Keyring
from ringway.types import Incarnation, NodeName


async def serve(url: str) -> None:
    engine = await open_nats(url, name="n1")
    # Clients answer no ping before all have joined.
    config = NodeConfig(
        insecure=True, shed_handshakes=False, allowed_hosts=("*",), ping_interval_s=3600, pong_timeout_s=3599
    )
    node = ChannelNode(config, NodeName("n1"), Incarnation("00000001"), engine, Keyring(b"bench"))
    await node.start()
    gc.collect()
    print(node.port, flush=True)
    reader = asyncio.StreamReader()
    await asyncio.get_running_loop().connect_read_pipe(lambda: asyncio.StreamReaderProtocol(reader), sys.stdin)
    while await reader.readline():
        print(node.connections, len(node.hub), flush=True)


if __name__ == "__main__":
    get_logger().level = SILENT
    os.sched_setaffinity(0, {0})
    uvloop.run(serve(sys.argv[1]))

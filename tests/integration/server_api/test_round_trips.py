"""Round trips to the engine: what calls that come together cost there."""

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from contextlib import AsyncExitStack
from random import Random

import msgspec
import pytest

from integration.node.kit import KEYRING
from ringway.engine.nats.command import PING
from ringway.engine.nats.embedded import EmbeddedNats
from ringway.engine.nats.opening import open_nats
from ringway.engine.nats.server_socket import ServerSocket
from ringway.node.config.http_api import HttpApiConfig
from ringway.node.config.node import NodeConfig
from ringway.node.server import ChannelNode
from ringway.node.server_api.calls import ApiMethod
from ringway.protocol.command import Raw
from ringway.protocol.server_api import ApiBroadcastRequest, ApiPublishRequest
from ringway.types import Incarnation, NodeName

MINE = Raw(b'"mine"')


async def publish_fifty(methods: dict[str, ApiMethod], space: str) -> None:
    publish = methods["publish"].run
    await asyncio.gather(*(publish(ApiPublishRequest(channel=f"{space}{n}", data=MINE)) for n in range(50)))


async def broadcast_to_fifty(methods: dict[str, ApiMethod], space: str) -> None:
    await methods["broadcast"].run(ApiBroadcastRequest(channels=[f"{space}{n}" for n in range(50)], data=MINE))


async def publish_fifty_in_a_batch(methods: dict[str, ApiMethod], space: str) -> None:
    publish_each = methods["publish"].run_many
    assert publish_each is not None
    requests: Sequence[msgspec.Struct] = [ApiPublishRequest(channel=f"{space}{n}", data=MINE) for n in range(50)]
    await publish_each(requests)


@pytest.mark.parametrize("space", ["", "kept:"], ids=["live", "kept"])
@pytest.mark.parametrize("call", [publish_fifty, broadcast_to_fifty, publish_fifty_in_a_batch])
async def test_what_is_published_in_one_turn_leaves_in_one_write(
    server: EmbeddedNats,
    monkeypatch: pytest.MonkeyPatch,
    call: Callable[[dict[str, ApiMethod], str], Awaitable[None]],
    space: str,
) -> None:
    written: list[bytes] = []
    write = ServerSocket.write

    def record(socket: ServerSocket, data: bytes) -> None:
        written.append(data)
        write(socket, data)

    async with AsyncExitStack() as stack:
        engine = await open_nats(server.url, name="n1")
        stack.push_async_callback(engine.close)
        config = NodeConfig(insecure=True, namespaces=("default:history_size=0", "kept:history_size=9"))
        node = ChannelNode(config, NodeName("n1"), Incarnation("0badcafe"), engine, KEYRING, rng=Random(1))
        stack.push_async_callback(node.stop)
        await node.start()
        methods = {method.name: method for method in node.api_methods(HttpApiConfig(port=0))}
        monkeypatch.setattr(ServerSocket, "write", record)
        await call(methods, space)
    assert [data.count(MINE) for data in written if MINE in data] == [50]
    if not space:
        assert [data.count(PING) for data in written if MINE in data] == [1], "one confirmation for all"

"""Calls (RPC) of the official SDKs, unmodified, to functions of Python at a node."""

import asyncio
import sys
from typing import Any

import pytest

from integration.sdk.kit import call_methods, install_javascript
from ringway.engine.memory.engine import MemoryHub
from ringway.errors import RpcError
from ringway.node.config.node import NodeConfig
from ringway.node.config.rpc import RpcConfig, RpcOffer
from ringway.node.rpc_function import CallThreads, RpcFunction
from ringway.node.server import ChannelNode
from ringway.protocol.keyring import Keyring
from ringway.rpc import RpcCall
from ringway.types import Incarnation, NodeName
from support.npm import has_node


@pytest.mark.parametrize(
    "program",
    [
        pytest.param((sys.executable, "call.py"), id="python"),
        pytest.param(
            ("node", "call.mjs"),
            id="javascript",
            marks=pytest.mark.skipif(not has_node(), reason="needs Node.js and npm"),
        ),
    ],
)
async def test_calls_are_answered(program: tuple[str, ...]) -> None:
    if program[0] == "node":
        await install_javascript()
    released = asyncio.Event()

    async def answer(call: RpcCall) -> Any:
        if call.method == "slow":
            await released.wait()
        if call.method == "release":
            released.set()
        if call.method == "refuse":
            raise RpcError(1000, "no such room", temporary=True)
        return None if call.method == "nothing" else call.data

    rpc = RpcOffer(RpcConfig(timeout_s=60), {"": RpcFunction(answer, CallThreads(1))})
    node = ChannelNode(
        NodeConfig(insecure=True), NodeName("n1"), Incarnation("00000001"), MemoryHub().open(), Keyring(b"s"), rpc=rpc
    )
    await node.start()
    found = await call_methods(*program, url=node.url)
    *answers, unknown, slow = found["answers"]
    assert answers == [{"ü": [1, None]}, None, {"code": 1000, "message": "no such room", "temporary": True}]
    assert unknown["code"] == 104
    assert slow == 1
    assert found["order"] == ["echo", "nothing", "slow"]
    await node.stop()

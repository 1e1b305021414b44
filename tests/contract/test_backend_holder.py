"""The contract of holders, over a gateway on real sockets that holds the connections of a server without Ringway."""

import time
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from random import Random

import pytest

from integration.gateway.gateway_kit import (
    Raw,
    Rig,
    answer_101,
    eventually,
    handshake,
    masked,
    raw_backend,
    read_head,
)
from ringway.gateway.backends.held_backend import HeldBackend
from ringway.gateway.config.gateway import GatewayConfig
from ringway.member.sent_moves import SentMoves
from ringway.protocol.frame import CLOSE, server_frame
from ringway.protocol.group import DEFAULT
from ringway.testing.holder_contract import HolderContract
from ringway.types import NodeName

N1, N2 = NodeName("n1"), NodeName("n2")
ADDRESS = "127.0.0.1"
LATE_S = 30.0
"""The bounds of a gateway on ends; the contract must not need them."""


async def serve(reader, writer) -> None:
    """Accept a WebSocket, and answer its close frame."""
    raw = Raw(reader, writer)
    await raw.send(answer_101(await read_head(reader)))
    while True:
        first, payload = await raw.frame()
        if first & 0x0F == CLOSE:
            await raw.send(server_frame(CLOSE, payload))
            return


class Client:
    def __init__(self, raw: Raw) -> None:
        self._raw = raw

    async def wait_closed(self) -> None:
        while True:
            first, payload = await self._raw.frame()
            if first & 0x0F == CLOSE:
                break
        await self._raw.send(masked(first, payload))
        await self._raw.rest()
        await self._raw.close()

    async def leave(self) -> None:
        await self._raw.close()

    async def ignore_close(self) -> None:
        """By hand: a raw client answers nothing by itself."""


class BackendWorld:
    def __init__(self, urls: dict[NodeName, str]) -> None:
        config = GatewayConfig(
            port=0, allowed_hosts=("*",), policy="least-connected", leave_deadline_s=0.0, linger_s=LATE_S,
            close_answer_s=LATE_S,
        )  # fmt: skip
        weights = {N1: 1000, N2: 1}  # newcomers go to n1
        specs = tuple(f"{url},name={name},weight={weights[name]},on-move=close" for name, url in urls.items())
        self.rig = Rig(config, specs, Random(1))

    @property
    def holder(self) -> HeldBackend:
        share = self.rig.held.holding.share_of(N1)
        assert share is not None
        return share

    @property
    def sent(self) -> SentMoves:
        return self.holder.sent

    def now(self) -> float:
        return time.monotonic()

    async def open(self, *, is_moved: bool = False) -> Client:
        before = self.holder.accepted
        if is_moved:
            await self.rig.held.expectations.expect(b"", ADDRESS, DEFAULT, N2, N1, LATE_S)
        raw = await self.rig.dial()
        await raw.send(handshake())
        assert (await raw.head())[0] == 101
        await eventually(lambda: self.holder.accepted == before + 1)
        return Client(raw)


class TestBackendHolder(HolderContract):
    @pytest.fixture
    async def world(self) -> AsyncIterator[BackendWorld]:
        async with AsyncExitStack() as stack:
            world = BackendWorld({name: await stack.enter_async_context(raw_backend(serve)) for name in (N1, N2)})
            await world.rig.start()
            yield world
            await world.rig.hang_up()
            await world.rig.stop()

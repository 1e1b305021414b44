"""A gateway over real sockets, with backends that the test brings."""

import asyncio
import random
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping

import pytest
import uvloop
from gateway_kit import Rig

from ringway.auth.verifier import TokenVerifier
from ringway.gateway.config.gateway import GatewayConfig

LoopFactories = Mapping[str, Callable[[], asyncio.AbstractEventLoop]]
StartRig = Callable[..., Awaitable[Rig]]


def pytest_asyncio_loop_factories(config: pytest.Config, item: pytest.Item) -> LoopFactories:
    """Run every test on both loops: their transports differ in more than speed."""
    return {"asyncio": asyncio.SelectorEventLoop, "uvloop": uvloop.new_event_loop}


@pytest.fixture
async def start_rig() -> AsyncIterator[StartRig]:
    """Start a gateway over static backends; `start(urls, verifier=..., **config)`."""
    rigs: list[Rig] = []

    async def start(*specs: str, verifier: TokenVerifier | None = None, **settings: object) -> Rig:
        config = GatewayConfig(
            **{"port": 0, "linger_s": 0.5, "close_answer_s": 2.0, "allowed_hosts": ("*",), **settings}
        )  # type: ignore[arg-type]
        rig = Rig(config, specs, random.Random(7), verifier)
        rigs.append(rig)
        await rig.start()
        return rig

    yield start
    for rig in rigs:
        await rig.stop()

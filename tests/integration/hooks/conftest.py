"""Nodes with hooks, and the backend that answers them."""

from collections.abc import AsyncIterator

import pytest

from integration.node.conftest import Dial, StartNode, dial, hub, pytest_asyncio_loop_factories, start_node
from support.hook_server import HookServer, hook_server

__all__ = ["Dial", "StartNode", "dial", "hub", "pytest_asyncio_loop_factories", "start_node"]


@pytest.fixture
async def backend() -> AsyncIterator[HookServer]:
    async with hook_server() as server:
        yield server

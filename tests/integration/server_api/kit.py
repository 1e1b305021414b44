"""Nodes with a server API on real sockets, for its tests."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

from ringway.node.config.http_api import HttpApiConfig
from ringway.node.server import ChannelNode
from ringway.node.server_api.server import HttpApiServer

KEY = "a-key-of-the-tests"
PATIENCE_S = 30.0


@asynccontextmanager
async def serving(node: ChannelNode, **settings: Any) -> AsyncIterator[HttpApiServer]:
    """Serve the API of `node`."""
    config = HttpApiConfig(**{"port": 0, "key": KEY, **settings})
    server = HttpApiServer(config)
    task = asyncio.create_task(server.serve(node.api_methods(config), "1"))
    try:
        yield server
    finally:
        await server.close()
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)

"""A real NATS server for the tests that take one."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from ringway.engine.nats.embedded import EmbeddedNats


@pytest.fixture
async def server(tmp_path: Path) -> AsyncIterator[EmbeddedNats]:
    server = EmbeddedNats(tmp_path)
    await server.start()
    yield server
    await server.stop()

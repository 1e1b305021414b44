"""A registration port on a real socket, over a sink that records."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any

from ringway.sources.registration.config import RegistrationConfig
from ringway.sources.registration.server import RegistrationServer
from ringway.sources.registration.source import SOURCE, RegistrationSource
from ringway.sources.sink import Offer
from support.recording_sink import RecordingSink

PATIENCE_S = 30.0


@dataclass
class Port:
    """A registration port that runs, and what it has said."""

    url: str
    sink: RecordingSink
    source: RegistrationSource

    def offers(self) -> dict[str, Offer]:
        return {str(name): offer for name, offer in self.sink.offers.get(SOURCE, {}).items()}

    async def until_offered(self, *names: str) -> dict[str, Offer]:
        """Return the offers when exactly `names` are offered."""
        async with asyncio.timeout(PATIENCE_S):
            while set(self.offers()) != set(names):
                await asyncio.sleep(0.02)
        return self.offers()


@asynccontextmanager
async def registration_port(
    port: int = 0, *, parts: dict[str, Any] | None = None, **settings: Any
) -> AsyncIterator[Port]:
    """Serve a registration port; `parts` are the composition's: judge and find_state."""
    config = RegistrationConfig(port=port, **settings)
    server, sink = RegistrationServer(config), RecordingSink()
    source = RegistrationSource(config, sink, **parts or {})
    tasks = [asyncio.create_task(server.serve(source, "1")), asyncio.create_task(source.run())]
    try:
        yield Port(server.url, sink, source)
    finally:
        await server.close()
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

"""Servers show who is connected: by the name of the process, whatever characters it has."""

from pathlib import Path

from ringway.app.engine import EngineConfig, open_engine
from ringway.testing.redis_server import RedisServer


async def test_redis_shows_processes_by_names_that_it_would_refuse(tmp_path: Path) -> None:
    server = RedisServer(tmp_path)
    server.start()
    try:
        async with open_engine(EngineConfig(url=server.url), "gateway 1a2b\nä"):
            assert "name=ringway-gateway-1a2b-- " in server.command("CLIENT", "LIST")
    finally:
        server.stop()

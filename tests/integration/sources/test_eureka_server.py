"""Backends from a real Eureka server. Skipped, with the reason, where Java or its libraries cannot be had."""

import asyncio
import random
import time
from pathlib import Path

import pytest

from ringway.sources.eureka.config import EurekaConfig
from ringway.sources.eureka.source import EurekaSource
from ringway.tasks import Tasks
from support.eureka_server import NoEureka, prepare_eureka, serve_eureka
from support.recording_sink import RecordingSink

PATIENCE_S = 30.0


def unused_port() -> int:
    import socket

    with socket.socket() as sock:
        sock.bind(("127.0.0.1", 0))
        return int(sock.getsockname()[1])


@pytest.mark.slow
@pytest.mark.timeout(700)
async def test_instances_that_register_change_and_leave_are_followed(tmp_path: Path) -> None:
    try:
        command = await asyncio.to_thread(prepare_eureka, tmp_path)
    except NoEureka as why:
        pytest.skip(str(why))
    async with serve_eureka(command, tmp_path, unused_port()) as server:
        sink = RecordingSink()
        config = EurekaConfig(poll_s=0.1, missing_s=1.0)
        source = EurekaSource(f"eureka+{server.url},app=chat,path=/ws", config, sink, random.Random(1))
        tasks = Tasks()
        tasks.spawn(source.run(), name=source.name)

        async def becomes(**states: str) -> None:
            deadline = time.monotonic() + PATIENCE_S
            while sink.states != {f"127.0.0.1-chat-{name[1:]}": state for name, state in states.items()}:
                assert len(tasks) == 1
                assert time.monotonic() < deadline, (sink.states, sink.problems)
                await asyncio.sleep(0.02)

        try:
            await server.register(9001, metadata={"ringway.weight": "2", "zone": "a"})
            await becomes(n9001="up")
            backend = sink.offer("127.0.0.1-chat-9001").backend
            assert (backend.url, backend.weight, backend.zone) == ("ws://127.0.0.1:9001/ws", 2, "a")
            await server.register(9002, "STARTING")
            await server.register(9003)
            await becomes(n9001="up", n9003="up")
            await server.register(9002, "UP")
            await becomes(n9001="up", n9002="up", n9003="up")
            await server.set_status(9001, "OUT_OF_SERVICE")
            await becomes(n9001="draining", n9002="up", n9003="up")
            await server.set_status(9001, "UP")
            await becomes(n9001="up", n9002="up", n9003="up")
            await server.cancel(9003)
            await becomes(n9001="up", n9002="up")
            await server.register(9002, "DOWN")
            await becomes(n9001="up")
            await server.cancel(9001)
            await server.cancel(9002)
            deadline = time.monotonic() + PATIENCE_S
            while not any("knows no instance of chat" in problem for problem in sink.problems.values()):
                assert time.monotonic() < deadline, sink.problems
                await asyncio.sleep(0.02)
            await becomes(n9001="up")
            assert sink.lost == []
        finally:
            await tasks.aclose()

"""A channel node in the process of a FastAPI application, served by uvicorn."""

import asyncio
import logging
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import aiohttp
import pytest
import uvicorn
from fastapi import FastAPI

import ringway
from integration.system.test_documents import blocks
from ringway import asgi
from support.system import free_port, running_system

ALONE = {
    "engine.url": "memory://",
    "engine.secret": "a secret of the tests, which is long",
    "node.port": 0,
    "node.insecure": True,
    "admin.enabled": False,
}


@asynccontextmanager
async def served(app: FastAPI) -> AsyncIterator[str]:
    """Serve `app`; yield its URL."""
    port = free_port()
    server = uvicorn.Server(uvicorn.Config(app, port=port, log_config=None, lifespan="on"))
    serving = asyncio.create_task(server.serve())
    async with asyncio.timeout(90):
        while not server.started and not serving.done():
            await asyncio.sleep(0.02)
    if serving.done():
        raise RuntimeError("uvicorn did not start")
    yield f"http://127.0.0.1:{port}"
    server.should_exit = True
    await serving


async def test_an_application_has_clients_whose_calls_it_answers() -> None:
    node = asgi.Node(ALONE)

    @node.rpc("sum")
    async def add(call: ringway.RpcCall) -> int:
        return sum(call.data)

    @node.rpc("rooms:name")
    def name(call: ringway.RpcCall) -> str:
        return f"room {call.data}"

    app = FastAPI(lifespan=node.lifespan)

    @app.post("/say/{text}")
    async def say(text: str) -> dict[str, int]:
        await node.server.publish("news", text)
        return await node.server.channels()

    async with served(app) as url, ringway.Client(node.url) as client, client.subscribe("news") as news:
        assert await client.rpc("sum", [1, 2]) == 3
        assert await client.rpc("rooms:name", 7) == "room 7"
        for method in ("other", "rooms:other", "none:m"):
            with pytest.raises(ringway.CommandError) as refused:
                await client.rpc(method)
            assert refused.value.code == 104
        async with aiohttp.ClientSession() as web, web.post(f"{url}/say/hello") as answer:
            assert await answer.json() == {"news": 1}
        assert (await news.receive()).data == "hello"


async def test_the_application_of_the_documents_works() -> None:
    *_, program = blocks("docs/howto/rpc.md", "python")
    found: dict[str, Any] = {}
    exec(program.replace('{"node.port": 8100}', repr(ALONE)), found)
    async with served(found["app"]) as url, ringway.Client(found["node"].url) as client:
        assert await client.rpc("sum", [1, 2, 3]) == 6
        async with client.subscribe("news") as news, aiohttp.ClientSession() as web:
            async with web.post(f"{url}/articles", json={"title": "hello"}) as answer:
                assert await answer.json() == {"title": "hello"}
            assert (await news.receive()).data == {"title": "hello"}


async def test_a_node_joins_the_system_that_runs_here_and_leaves_it_with_its_application() -> None:
    with running_system(nodes=1) as system:
        node = asgi.Node(
            {"node.port": 0, "member.name": "in-app", "node.drain_within_s": 60, "node.report_interval_s": 0.2},
            state=str(system.state),
        )
        async with node, ringway.Client(node.url) as client, ringway.Client(system.gateway_url) as other:
            async with other.subscribe("news") as news:
                await node.server.publish("news", 1)
                assert (await news.receive()).data == 1
            async with asyncio.timeout(90):
                while "in-app" not in {each.name for each in await node.server.info()}:
                    await asyncio.sleep(0.1)
            assert client.node == "in-app"
        async with asyncio.timeout(90):
            while "in-app" in await asyncio.to_thread(system.nodes):
                await asyncio.sleep(0.1)


async def test_a_node_that_cannot_start_says_why() -> None:
    port = str(free_port())
    async with asgi.Node({**ALONE, "node.port": port}):
        second = asgi.Node({**ALONE, "node.port": port})
        with pytest.raises(ringway.ConfigError, match=f"cannot listen on .*:{port}"):
            await second.start()
        await second.stop()
        with pytest.raises(RuntimeError, match="not started"):
            _ = second.server


@pytest.mark.parametrize(
    ("settings", "problem"),
    [
        ({"node.port": "many"}, "node.port"),
        ({"node.nothing": 1}, r"no setting node.nothing"),
        ({"rpc.functions": ["x"]}, "'x'"),
    ],
    ids=["wrong", "unknown", "function"],
)
def test_settings_that_cannot_work_are_refused(settings: dict[str, Any], problem: str) -> None:
    with pytest.raises(ringway.ConfigError, match=problem):
        asgi.Node({**ALONE, **settings})


async def test_a_method_has_one_function() -> None:
    node = asgi.Node(ALONE)
    node.rpc("m")(lambda call: 1)
    with pytest.raises(ringway.ConfigError, match="'m' has a function already"):
        node.rpc("m")(lambda call: 2)


async def test_the_log_goes_to_the_applications_logging(caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.INFO, "ringway"):
        async with asgi.Node(ALONE):
            pass
    assert any(record.message.startswith("node started") for record in caplog.records)
    assert any(record.message.startswith("node stopped") for record in caplog.records)


async def test_a_node_leaves_the_collector_of_the_process_alone() -> None:
    import gc

    before = gc.get_threshold(), gc.get_freeze_count()
    async with asgi.Node(ALONE):
        assert (gc.get_threshold(), gc.get_freeze_count()) == before

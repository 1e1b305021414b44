"""The example of a backend with hooks, run as its page says."""

import asyncio
import sys
from pathlib import Path

from integration.hooks.conftest import Dial, StartNode
from support.system import free_port

EXAMPLE = Path(__file__).parents[3] / "examples" / "hooks" / "app.py"


async def test_the_example_knows_its_users_and_their_rooms(start_node: StartNode, dial: Dial) -> None:
    port = free_port()
    backend = await asyncio.create_subprocess_exec(sys.executable, EXAMPLE, str(port))
    try:
        async with asyncio.timeout(60):
            while True:
                try:
                    _, writer = await asyncio.open_connection("127.0.0.1", port)
                except OSError:
                    await asyncio.sleep(0.05)
                else:
                    writer.close()
                    break
        node = await start_node(
            insecure=False,
            hooks=(f"app:endpoint=http://127.0.0.1:{port}/,http_headers=Cookie,timeout_s=4",),
            connect_hook="app",
            namespaces=("chat:subscribe_hook=app,publish_hook=app",),
        )
        stranger = await dial(node)
        stranger.send({"id": 1, "connect": {}})
        assert await stranger.closed() == (4501, "log in first")
        carol, dave = await dial(node, cookie="session=s1"), await dial(node, cookie="session=s2")
        for peer in (carol, dave):
            assert "connect" in await peer.ask(connect={})
            await peer.subscribe("chat:lobby")
        await carol.subscribe("chat:board")
        assert (await dave.ask(subscribe={"channel": "chat:board"}))["error"]["code"] == 403
        await carol.publish("chat:lobby", {"text": "hello", "more": "x"})
        push = (await dave.push())["pub"]
        assert push["data"]["text"] == "hello"
        assert "more" not in push["data"]
        assert push["info"]["conn_info"] == {"name": "Carol"}
    finally:
        backend.kill()
        await backend.wait()

"""Through the gateway: the official SDKs, unmodified, and pages of other origins."""

import asyncio
import json
import sys
from pathlib import Path

import pytest
import websockets

SDK = Path(__file__).parent.parent / "sdk"
COUNT = 20


@pytest.mark.parametrize("program", [("node", "exchange.mjs"), (sys.executable, "exchange.py")], ids=["js", "python"])
async def test_the_sdk_exchanges_publications_through_the_gateway(system, program):
    url = system.gateway_url.replace("http", "ws") + "/connection/websocket"
    command, script = program
    process = await asyncio.create_subprocess_exec(
        command, SDK / script, url, "sdk", str(COUNT), stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.PIPE
    )
    out, err = await asyncio.wait_for(process.communicate(), 60)
    assert process.returncode == 0, err.decode()
    seen = json.loads(out)
    numbers = [entry["data"]["n"] for entry in seen["one"] if "n" in entry["data"]]
    assert sorted(numbers) == list(range(COUNT + 2))


async def test_a_browser_page_of_another_origin_is_refused_through_the_gateway_too(system):
    url = system.gateway_url.replace("http", "ws") + "/connection/websocket"
    own = websockets.connect(url, origin=system.gateway_url, proxy=None)
    async with own as socket:
        await socket.send('{"id":1,"connect":{}}')
        assert "client" in await socket.recv()
    with pytest.raises(websockets.InvalidStatus) as refused:
        await websockets.connect(url, origin="https://evil.example", proxy=None)
    assert refused.value.response.status_code == 403

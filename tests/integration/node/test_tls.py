"""TLS at a node's port: clients in a crowd, messages of all sizes, slow readers and ends."""

import asyncio
import json
import ssl
from pathlib import Path

import pytest
from websockets.asyncio.client import connect
from websockets.exceptions import ConnectionClosed, InvalidMessage

from integration.node.kit import PATIENCE_S, eventually
from support.authority import Authority


@pytest.fixture
def authority(tmp_path: Path) -> Authority:
    return Authority(tmp_path)


@pytest.fixture
def port_files(authority: Authority) -> dict[str, tuple[str]]:
    cert, key = authority.sign("localhost", "localhost")
    return {"tls_cert": (str(cert),), "tls_key": (str(key),)}


def trusting(authority: Authority, chain: tuple[Path, Path] | None = None) -> ssl.SSLContext:
    context = ssl.create_default_context(cafile=str(authority.path))
    if chain is not None:
        context.load_cert_chain(*chain)
    return context


async def ask(ws, command: dict) -> dict:
    """Send a command, and return the reply; pushes before it are dropped."""
    await ws.send(json.dumps(command))
    async with asyncio.timeout(PATIENCE_S):
        while True:
            for line in (await ws.recv()).splitlines():
                answer = json.loads(line)
                if answer.get("id") == command["id"]:
                    return answer


async def test_clients_publish_and_hear_over_tls_and_are_told_when_the_node_stops(start_node, authority, port_files):
    node = await start_node(**port_files)
    url = f"wss://localhost:{node.port}/connection/websocket"
    assert node.url == f"wss://127.0.0.1:{node.port}/connection/websocket"
    big = "x" * 50_000
    async with (
        connect(url, ssl=trusting(authority), compression=None) as one,
        connect(url, ssl=trusting(authority), compression=None) as two,
    ):
        for ws in (one, two):
            assert "connect" in await ask(ws, {"id": 1, "connect": {}})
            assert "subscribe" in await ask(ws, {"id": 2, "subscribe": {"channel": "c"}})
        for number in range(20):
            assert "publish" in await ask(one, {"id": 3 + number, "publish": {"channel": "c", "data": big}})
        heard = 0
        async with asyncio.timeout(PATIENCE_S):
            while heard < 20:
                heard += sum("push" in json.loads(line) for line in (await two.recv()).splitlines())
        stopping = asyncio.ensure_future(node.stop())
        await asyncio.wait_for(two.wait_closed(), PATIENCE_S)
        await stopping
    assert two.close_code is not None
    assert node.connections == 0


async def test_a_client_that_does_not_read_is_closed_at_the_bound_of_its_outbox(start_node, authority, port_files):
    node = await start_node(outbox_bytes_max=200_000, unsent_bytes_max=8192, **port_files)
    url = f"wss://localhost:{node.port}/connection/websocket"
    async with connect(url, ssl=trusting(authority), compression=None) as one:
        assert "connect" in await ask(one, {"id": 1, "connect": {}})
        slow = await connect(url, ssl=trusting(authority), compression=None, max_queue=1)
        assert "connect" in await ask(slow, {"id": 1, "connect": {}})
        assert "subscribe" in await ask(slow, {"id": 2, "subscribe": {"channel": "c"}})
        slow.transport.pause_reading()
        data = "x" * 30_000
        for number in range(2, 400):
            if node.connections == 1:
                break
            await ask(one, {"id": number, "publish": {"channel": "c", "data": data}})
        await eventually(lambda: node.connections == 1)
        slow.transport.abort()


async def test_plain_websockets_are_told_of_tls_and_silent_sockets_end_at_the_deadline(
    start_node, authority, port_files
):
    node = await start_node(tls_handshake_deadline_s=0.5, **port_files)
    reader, writer = await asyncio.open_connection("127.0.0.1", node.port)
    writer.write(b"GET /connection/websocket HTTP/1.1\r\nHost: localhost\r\n\r\n")
    assert b"this port speaks TLS" in await asyncio.wait_for(reader.read(), PATIENCE_S)
    writer.close()
    reader, writer = await asyncio.open_connection("127.0.0.1", node.port)
    assert await asyncio.wait_for(reader.read(), PATIENCE_S) == b""
    writer.close()


async def test_a_node_may_ask_clients_for_certificates(start_node, authority, port_files):
    node = await start_node(tls_client_cert="required", tls_client_ca=str(authority.path), **port_files)
    url = f"wss://localhost:{node.port}/connection/websocket"
    with pytest.raises((OSError, InvalidMessage, ConnectionClosed)):
        async with connect(url, ssl=trusting(authority)):
            pass
    async with connect(url, ssl=trusting(authority, authority.sign("alice"))) as ws:
        assert "connect" in await ask(ws, {"id": 1, "connect": {}})

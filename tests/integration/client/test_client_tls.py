"""The client over TLS: https gateways, wss nodes."""

import asyncio
import ssl
from pathlib import Path

import pytest
from client_kit import QUICK, ScriptedGateway, ScriptedNode, http, until
from websockets.asyncio.server import ServerConnection, serve

import ringway
from ringway.errors import UpgradeError

pytestmark = pytest.mark.timeout(60)

PEM = Path(__file__).with_name("localhost.pem")


def server_side() -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(PEM)
    return context


def client_side() -> ssl.SSLContext:
    return ssl.create_default_context(cafile=str(PEM))


async def echo(connection: ServerConnection) -> None:
    async for message in connection:
        await connection.send(message)


async def test_a_socket_talks_over_tls_and_closes_in_order() -> None:
    async with serve(echo, "127.0.0.1", 0, ssl=server_side()) as running:
        port = running.sockets[0].getsockname()[1]
        async with ringway.connect(f"wss://localhost:{port}/", ssl=client_side(), max_queue=2) as ws:
            for size in (1, 100_000, 900_000):
                await ws.send(b"x" * size)
                assert await ws.recv() == b"x" * size
            sending = asyncio.ensure_future(_send_all(ws, 50))
            assert [len(await ws.recv()) for _ in range(50)] == [50_000] * 50
            await sending
        assert ws.close_code == 1000


async def _send_all(ws: ringway.Socket, count: int) -> None:
    for _ in range(count):
        await ws.send(b"x" * 50_000)


async def test_a_certificate_that_nobody_trusts_is_refused() -> None:
    async with serve(echo, "127.0.0.1", 0, ssl=server_side()) as running:
        port = running.sockets[0].getsockname()[1]
        with pytest.raises(ssl.SSLCertVerificationError):
            await ringway.connect(f"wss://localhost:{port}/")


async def test_an_https_gateway_leads_to_a_wss_node_and_moves_stay_on_tls() -> None:
    async with (
        ScriptedNode("n1", ssl=server_side()) as n1,
        ScriptedNode("n2", ssl=server_side()) as n2,
        ScriptedGateway.to(n1, n2, ssl=server_side()) as gateway,
        ringway.Client(gateway.url, ssl=client_side(), config=QUICK) as client,
    ):
        assert client.node == "n1"
        await n1.current.close(1012, f"move n2 {'T' * 44}")
        await until(lambda: client.node == "n2")
        assert gateway.url.startswith("https://")


async def test_an_https_gateway_cannot_send_a_client_to_a_node_without_tls() -> None:
    async with ScriptedNode() as node:
        for answer in ({"url": node.url}, {"url": "wss://127.0.0.1:1/", "alternates": [{"url": node.url}]}):
            async with ScriptedGateway(lambda _, said=answer: http(200, said), ssl=server_side()) as gateway:
                with pytest.raises(UpgradeError, match="unencrypted"):
                    await ringway.connect(gateway.url, ssl=client_side())
        assert node.paths == []


async def test_a_tls_handshake_that_is_cancelled_leaves_nothing_behind() -> None:
    hung_up = asyncio.Event()

    async def silent(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.read()
        hung_up.set()
        writer.close()

    listener = await asyncio.start_server(silent, "127.0.0.1", 0)
    port = listener.sockets[0].getsockname()[1]
    for url in (f"wss://127.0.0.1:{port}/", f"https://127.0.0.1:{port}"):
        hung_up.clear()
        with pytest.raises(TimeoutError, match="within"):
            await ringway.connect(url, ssl=client_side(), open_timeout=0.2)
        await asyncio.wait_for(hung_up.wait(), 5)
    listener.close()

"""TLS from the gateway to backends: who is believed, and relays with TLS at both ends that change their backend."""

import asyncio
import ssl
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest
from gateway_kit import PATIENCE_S, Rig, eventually, handshake
from websockets.asyncio.client import connect
from websockets.asyncio.server import Server, ServerConnection, serve

from support.authority import Authority


@pytest.fixture
def authority(tmp_path: Path) -> Authority:
    return Authority(tmp_path)


def serving(pair: tuple[Path, Path], clients: Authority | None = None) -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(*pair)
    if clients is not None:
        context.load_verify_locations(clients.path)
        context.verify_mode = ssl.CERT_REQUIRED
    return context


@asynccontextmanager
async def backend(tls: ssl.SSLContext, said: list[str] | None = None) -> AsyncIterator[tuple[str, Server]]:
    """A server that says its name before what it echoes; yields its URL."""

    async def answer(ws: ServerConnection) -> None:
        async for message in ws:
            if said is not None:
                said.append(str(message))
            await ws.send(message)

    async with serve(answer, "127.0.0.1", 0, ssl=tls, compression=None) as server:
        yield f"wss://127.0.0.1:{server.sockets[0].getsockname()[1]}", server


async def ask(rig: Rig) -> tuple[int, str]:
    """Status and error of a WebSocket through the gateway."""
    client = await rig.dial()
    await client.send(handshake())
    status, headers = await client.head()
    body = await client.reader.readexactly(int(headers.get("content-length", 0)))
    client.writer.transport.abort()
    return status, body.decode()


async def test_a_backend_is_believed_by_its_authority_and_its_name(start_rig, authority, tmp_path):
    (tmp_path / "other").mkdir()
    other = Authority(tmp_path / "other")
    mine, named = authority.sign("mine", "127.0.0.1"), authority.sign("named", "chat.internal")
    ca = {"upstream_tls_ca": str(authority.path)}
    async with backend(serving(mine)) as (url, _), backend(serving(named)) as (url_named, _):
        for spec, settings, want in (
            (url, ca, 101),
            (url, {}, 502),
            (url, {"upstream_tls_ca": str(other.path)}, 502),
            (url, {"upstream_tls_ca": str(mine[0])}, 101),
            (url_named, ca, 502),
            (url_named + ",tls-name=chat.internal", ca, 101),
            (url, {"insecure_upstream_tls_unverified": True}, 101),
        ):
            rig = await start_rig(spec, **settings)
            status, text = await ask(rig)
            assert status == want, (spec, settings)
            if want == 502:
                assert "its certificate is not accepted" in text
                assert "127.0.0.1" not in text, "clients are not told inner addresses"


async def test_the_gateway_shows_its_own_certificate(start_rig, authority):
    cert, key = authority.sign("gateway-1")
    async with backend(serving(authority.sign("mine", "127.0.0.1"), clients=authority)) as (url, _):
        ca = {"upstream_tls_ca": str(authority.path)}
        assert (await ask(await start_rig(url, **ca)))[0] == 502
        rig = await start_rig(url, **ca, upstream_tls_cert=str(cert), upstream_tls_key=str(key))
        assert (await ask(rig))[0] == 101


async def test_new_authorities_are_used_from_the_next_connection_on(start_rig, authority, tmp_path):
    (tmp_path / "other").mkdir()
    other = Authority(tmp_path / "other")
    trusted = tmp_path / "trusted.pem"
    trusted.write_bytes(other.path.read_bytes())
    async with backend(serving(authority.sign("mine", "127.0.0.1"))) as (url, _):
        rig = await start_rig(url, upstream_tls_ca=str(trusted))
        assert (await ask(rig))[0] == 502
        trusted.write_bytes(authority.path.read_bytes())
        assert (await ask(rig))[0] == 101
        trusted.write_text("junk")
        assert (await ask(rig))[0] == 101


async def test_a_relay_with_tls_at_both_ends_goes_on_at_the_next_backend(start_rig, authority):
    tls = serving(authority.sign("mine", "127.0.0.1"))
    cert, key = authority.sign("front", "localhost")
    said: list[list[str]] = [[], []]
    async with backend(tls, said[0]) as (url_a, a), backend(tls, said[1]) as (url_b, b):
        rig = await start_rig(
            f"{url_a},name=a,on-move=reopen",
            f"{url_b},name=b,on-move=reopen",
            upstream_tls_ca=str(authority.path),
            tls_cert=(str(cert),),
            tls_key=(str(key),),
        )
        trusting = ssl.create_default_context(cafile=str(authority.path))
        async with connect(f"wss://localhost:{rig.gateway.port}/", ssl=trusting, compression=None) as client:
            sent = [f"{number}" * 3000 for number in range(6)]
            for number, text in enumerate(sent):
                await client.send(text)
                assert await asyncio.wait_for(client.recv(), PATIENCE_S) == text
                if number == 2:
                    [held] = [each for each in (a, b) if each.connections]
                    [connection] = held.connections
                    await connection.close(1012)
                    await eventually(lambda: rig.stats.relays_moving == 0)
        await rig.idle()
        assert said[0] + said[1] in (sent, sent[3:] + sent[:3])
        assert said[0]
        assert said[1]

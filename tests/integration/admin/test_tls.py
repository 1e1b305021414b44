"""TLS at an API port: the admin port, as all ports of its kind."""

import asyncio
import ssl
from pathlib import Path

import pytest

from integration.admin.test_connections import PATIENCE_S, REQUEST, admin_port
from ringway.net.http_get import HttpAnswerError, ask_api
from ringway.protocol.address import read_url
from support.authority import Authority


@pytest.fixture
def authority(tmp_path: Path) -> Authority:
    return Authority(tmp_path)


def trusting(authority: Authority, chain: tuple[Path, Path] | None = None) -> ssl.SSLContext:
    context = ssl.create_default_context(cafile=str(authority.path))
    if chain is not None:
        context.load_cert_chain(*chain)
    return context


def files(authority: Authority) -> dict[str, tuple[str]]:
    cert, key = authority.sign("localhost", "localhost", "127.0.0.1")
    return {"tls_cert": (str(cert),), "tls_key": (str(key),)}


async def ask(port: int, context: ssl.SSLContext) -> tuple[int, bytes]:
    url = read_url(f"https://127.0.0.1:{port}", {"https": 443}, "write https://host:port")
    answer = await ask_api("GET", url, "/", timeout_s=PATIENCE_S, bytes_max=10_000, ssl=context)
    return answer.status, answer.body


async def test_the_port_answers_over_tls_and_tells_others_so(authority):
    async with admin_port(**files(authority)) as port:
        assert await ask(port, trusting(authority)) == (200, b"ok")
        with pytest.raises(ssl.SSLCertVerificationError):
            await ask(port, ssl.create_default_context())
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        writer.write(REQUEST)
        assert b"this port speaks TLS" in await asyncio.wait_for(reader.read(), PATIENCE_S)
        writer.close()
        assert await ask(port, trusting(authority)) == (200, b"ok")


async def test_callers_may_be_asked_for_certificates(authority):
    required = {"tls_client_cert": "required", "tls_client_ca": str(authority.path)}
    async with admin_port(**files(authority), **required) as port:
        with pytest.raises((OSError, HttpAnswerError)):
            await ask(port, trusting(authority))
        assert await ask(port, trusting(authority, authority.sign("operator"))) == (200, b"ok")


async def test_silent_sockets_do_not_keep_callers_out(authority):
    async with admin_port(**files(authority), connections_max=4) as port:
        silent = [await asyncio.open_connection("127.0.0.1", port) for _ in range(8)]
        await asyncio.sleep(0.6)  # younger sockets do not count as silent (core.pending)
        assert await ask(port, trusting(authority)) == (200, b"ok")
        for _, writer in silent:
            writer.close()

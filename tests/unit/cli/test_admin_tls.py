"""Commands reach an admin port over TLS, by the authorities that they are given."""

import asyncio
from pathlib import Path

import pytest

from ringway.admin.config import AdminConfig
from ringway.admin.server import AdminServer
from ringway.cli.admin_access import AdminCalls
from ringway.errors import ConfigError, EngineAway
from support.authority import Authority


async def no_members(scope, receive, send) -> None:
    """Answer every request with an empty list."""
    headers = [(b"content-length", b"2"), (b"content-type", b"application/json")]
    await send({"type": "http.response.start", "status": 200, "headers": headers})
    await send({"type": "http.response.body", "body": b"[]"})


async def test_the_authority_that_is_given_is_believed_and_no_other(tmp_path: Path) -> None:
    authority = Authority(tmp_path)
    cert, key = authority.sign("admin", "127.0.0.1")
    server = AdminServer("127.0.0.1", 0, AdminConfig(tls_cert=(str(cert),), tls_key=(str(key),)))
    running = asyncio.ensure_future(server.run(no_members))
    try:
        assert server.url.startswith("https://127.0.0.1:")
        assert await AdminCalls(server.url, ca_file=str(authority.path)).reports() == []
        with pytest.raises(EngineAway, match="certificate"):
            await AdminCalls(server.url).reports()
    finally:
        await server.close()
        running.cancel()


def test_an_authority_for_a_port_without_tls_and_a_file_that_is_none_are_refused(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="has no TLS; write https://"):
        AdminCalls("http://127.0.0.1:8001", ca_file="ca.pem")
    with pytest.raises(ConfigError, match="a certificate for the admin port cannot be used"):
        AdminCalls("https://127.0.0.1:8001", ca_file=str(tmp_path / "none.pem"))

"""`--host ::` and `--host '*'`: the public port, nodes and the admin port are reached by IPv4 and by IPv6."""

import asyncio
import random
import urllib.request

import pytest

from ringway.admin.server import AdminServer
from ringway.gateway.cluster.directory import Directory
from ringway.gateway.config.gateway import GatewayConfig
from ringway.gateway.server import Gateway
from ringway.protocol.keyring import Keyring
from ringway.protocol.ticket import TicketSigner
from ringway.types import Issuer

LOOPBACKS = ("127.0.0.1", "[::1]")


def ask(url: str) -> int:
    with urllib.request.urlopen(url, timeout=10) as answer:
        return int(answer.status)


@pytest.mark.parametrize("host", ["::", "*"], ids=["colons", "star"])
async def test_a_gateway(host: str) -> None:
    config = GatewayConfig(host=host, port=0)
    gateway = Gateway(config, Directory(Issuer("0badcafe")), TicketSigner(Keyring(b"secret")), random.Random(1))
    await gateway.start()
    try:
        for loopback in LOOPBACKS:
            assert await asyncio.to_thread(ask, f"http://{loopback}:{gateway.port}/healthz") == 200
    finally:
        await gateway.stop()


@pytest.mark.parametrize("host", ["::", "*"], ids=["colons", "star"])
async def test_an_admin_port(host: str) -> None:
    async def app(scope: dict[str, object], receive: object, send: object) -> None:
        if scope["type"] == "http":
            await send({"type": "http.response.start", "status": 200, "headers": []})  # type: ignore[operator]
            await send({"type": "http.response.body", "body": b""})  # type: ignore[operator]

    server = AdminServer(host, 0)
    assert not server.on_loopback
    port = server.url.rpartition(":")[2]
    serving = asyncio.create_task(server.run(app))
    try:
        for loopback in LOOPBACKS:
            assert await asyncio.to_thread(ask, f"http://{loopback}:{port}/") == 200
    finally:
        await server.close()
        serving.cancel()
        await asyncio.gather(serving, return_exceptions=True)

"""A system of processes whose NATS is full: errors for clients and operators, and the services that go on."""

import asyncio
import json
import ssl
import urllib.request
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest
from nats.js import JetStreamContext
from nats.js.errors import APIError

import ringway
from integration.nats_kit import operator
from ringway.errors import CommandError
from ringway.testing.contract.world import until
from support.authority import Authority
from support.nats_server import NatsServer
from support.system import System, running_system

PATIENCE_S = 30.0
LEASE_S = 2.0


def read(url: str) -> str:
    """Return what is answered with 200."""
    with urllib.request.urlopen(url, timeout=10) as answer:
        return str(answer.read().decode())


def ask(url: str) -> Any:
    """Return what is answered with 200, in JSON."""
    return json.loads(read(url))


async def fill(stream: JetStreamContext) -> None:
    """Let somebody else fill what NATS has: of ours the oldest would go instead."""
    await stream.add_stream(name="foreign", subjects=["foreign"])
    async with asyncio.timeout(PATIENCE_S):
        with suppress(APIError):
            while True:
                await stream.publish("foreign", bytes(500_000))


def leads(system: System) -> bool:
    return any(gateway["leading"] for gateway in system.ask("gateways"))


@pytest.mark.timeout(120)
async def test_a_full_engine_is_told_to_all_and_stops_history_alone(tmp_path: Path) -> None:
    authority = Authority(tmp_path)
    certificate, key = authority.sign("server", "localhost")
    secret = tmp_path / "password"
    secret.write_text("s,e@c/r?et\n")
    settings = (
        f'tls {{ cert_file: "{certificate}", key_file: "{key}" }}\n'
        'authorization { user: "ring", password: "s,e@c/r?et" }\n'
    )
    server = NatsServer(tmp_path / "nats", "n", settings=settings, jetstream="max_file_store: 8MB")
    server.start()
    url = f"tls://localhost:{server.port}"
    engine = {"url": url, "user": "ring", "password_file": str(secret), "ca_file": str(authority.path)}
    trusting = ssl.create_default_context(cafile=str(authority.path))
    login = {"user": "ring", "password": "s,e@c/r?et", "tls": trusting}
    try:
        environ = {f"RINGWAY_ENGINE_{name}".upper(): value for name, value in engine.items()}
        environ |= {"RINGWAY_ENGINE_HISTORY_BYTES_MAX": "2000000", "RINGWAY_BALANCE_LEASE_S": str(LEASE_S)}
        with running_system(nodes=1, environ=environ) as system:
            public, healthz = f"{system.gateway_url}/readyz", f"{system.admin_url}/healthz"
            await until(lambda: leads(system))
            assert ask(public)["status"] == "ready"
            async with operator(url, **login) as stream:
                await fill(stream)
            async with ringway.Client(system.gateway_url) as client:
                with pytest.raises(CommandError, match="max_file_store") as refused:
                    await client.publish("room", "x")
            assert refused.value.code == 106
            node = system.nodes()["node-1"]["admin_url"]
            health = ask(f"{node}/readyz")
            assert (health["ready"], health["degraded"]) == (True, True)
            assert "max_file_store" in health["problems"][0]
            assert "ringway_degraded 1.0" in read(f"{node}/metrics")
            assert ask(public) == {"status": "ready", "nodes": 1}  # it stores nothing itself
            await asyncio.sleep(LEASE_S + 1)  # longer than the lease lasts without a renewal
            assert leads(system)
            assert ask(healthz)["problems"] == []
            assert "node-1" in system.ringway("nodes", "--json")  # by what `up` wrote down alone
            async with ringway.Client(system.gateway_url) as newcomer:
                assert newcomer.node == "node-1"
            async with operator(url, **login) as stream:
                await stream.delete_stream("foreign")
            async with ringway.Client(system.gateway_url) as client:
                await client.publish("room", "there is room")
            assert ask(f"{node}/readyz")["degraded"] is False
    finally:
        server.kill()

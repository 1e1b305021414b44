"""Answers of the public port itself: discovery, health, and clear refusals."""

import asyncio
from urllib.parse import urlsplit

import pytest
from gateway_kit import handshake, unused_port

from ringway.errors import ConfigError


def get(path: str, *headers: str, method: str = "GET") -> bytes:
    return ("\r\n".join([f"{method} {path} HTTP/1.1", "Host: x", *headers]) + "\r\n\r\n").encode()


async def test_health_and_readiness(start_rig):
    rig = await start_rig("ws://127.0.0.1:9")
    client = await rig.dial()
    await client.send(get("/healthz"))
    assert (await client.response())[0::2] == (200, {"status": "ok"})
    await client.send(get("/readyz"))
    assert (await client.response())[0::2] == (200, {"status": "ready", "nodes": 1})
    lonely = await start_rig()
    client = await lonely.dial()
    await client.send(get("/readyz"))
    assert (await client.response())[0::2] == (503, {"error": "no node is known"})
    await client.send(get("/healthz"))
    assert (await client.response())[0] == 200


async def test_pages_stand_beside_the_gateways_own_answers(start_rig, tmp_path):
    (tmp_path / "index.html").write_text('"a page"')
    (tmp_path / "gateway").write_text('"not this"')
    rig = await start_rig("ws://127.0.0.1:9", pages=str(tmp_path))
    client = await rig.dial()
    await client.send(get("/") + get("/none") + get("/", method="POST") + get("/gateway"))
    status, headers, body = await client.response()
    assert (status, headers["content-type"], body) == (200, "text/html; charset=utf-8", "a page")
    assert [(await client.response())[0] for _ in range(2)] == [404, 404]
    assert "url" in (await client.response())[2]
    assert rig.stats.responses[200] == 2


async def test_discovery_over_one_connection_pipelined(start_rig):
    rig = await start_rig("ws://10.0.0.1:9000/app,name=a", "ws://10.0.0.2:9000/app,name=b")
    client = await rig.dial()
    await client.send(get("/gateway") * 50)
    nodes = []
    for _ in range(50):
        status, headers, body = await client.response()
        assert status == 200
        assert headers["cache-control"] == "no-store"
        assert urlsplit(body["url"]).hostname not in ("10.0.0.1", "10.0.0.2")  # it leads through the gateway
        nodes.append(body["node"])
    assert set(nodes) == {"a", "b"}
    assert rig.stats.requests["gateway"] == 50


@pytest.mark.parametrize(
    ("request_", "status", "stays"),
    [
        (get("/"), 404, True),
        (get("/gateway/"), 404, True),
        (get("/other", method="POST"), 404, True),
        (get("/gateway", method="POST"), 405, True),
        (get("/healthz", method="DELETE"), 405, True),
        (get("/readyz", method="OPTIONS"), 405, True),
        (get("/gateway", "Content-Length: 3"), 400, False),
        (get("/gateway", "Content-Length: 3", method="POST"), 405, False),
        (get("/any", "Transfer-Encoding: chunked", method="PUT"), 405, False),
        (get("/gateway", "Connection: close"), 200, False),
        (get("/nothing", "Connection: close"), 404, False),
    ],
)
async def test_refusals(start_rig, request_, status, stays):
    rig = await start_rig("ws://127.0.0.1:9")
    client = await rig.dial()
    await client.send(request_)
    answered, headers, body = await client.response()
    assert answered == status
    assert headers.get("connection") == (None if stays else "close")
    if status != 200:
        assert set(body) == {"error"}
    assert headers.get("allow") == ("GET, HEAD" if status == 405 else None)
    if stays:
        await client.send(get("/healthz"))
        assert (await client.response())[0] == 200
    else:
        assert await client.rest() == b""


async def test_an_idle_connection_is_closed(start_rig):
    rig = await start_rig(keepalive_idle_s=0.2)
    client = await rig.dial()
    await client.send(get("/healthz"))
    await client.response()
    assert await client.rest() == b""


async def test_a_port_in_use_is_said_in_one_line(start_rig):
    rig = await start_rig()
    with pytest.raises(ConfigError, match=f"cannot listen on 127.0.0.1:{rig.gateway.port}"):
        await start_rig(port=rig.gateway.port)


async def test_networks_that_are_none_are_named(start_rig):
    with pytest.raises(ConfigError) as caught:
        await start_rig(trusted_proxies=("10.0.0.0/8", "here", "10.0.0.0/99"))
    assert len(caught.value.problems) == 2


async def test_stopping_frees_the_port_and_ends_connections(start_rig):
    port = unused_port()
    rig = await start_rig(port=port)
    client = await rig.dial()
    await client.send(get("/healthz"))
    await client.response()
    await rig.gateway.stop()
    assert await client.rest() == b""
    again = await start_rig(port=port)
    assert again.gateway.port == port


async def test_an_upgrade_after_plain_requests(start_rig):
    rig = await start_rig(f"ws://127.0.0.1:{unused_port()}")
    client = await rig.dial()
    await client.send(get("/healthz") + get("/gateway") + handshake())
    assert [(await client.response())[0] for _ in range(3)] == [200, 200, 502]


async def test_many_clients_at_once(start_rig):
    rig = await start_rig("ws://127.0.0.1:9")

    async def ask() -> int:
        client = await rig.dial()
        await client.send(get("/gateway"))
        return (await client.response())[0]

    assert await asyncio.gather(*(ask() for _ in range(200))) == [200] * 200

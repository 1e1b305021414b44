"""Requests at the port of the server API that are no call, or a wrong one: each is answered in words."""

import asyncio
import json
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import aiohttp
import cent
import pytest

from integration.node.conftest import StartNode
from integration.server_api.kit import KEY, PATIENCE_S, serving
from ringway.errors import ConfigError
from ringway.node.config.http_api import HttpApiConfig
from ringway.node.server_api.server import HttpApiServer

WITH_KEY = {"X-API-Key": KEY}
CALL = {"channel": "c", "data": 1}


@pytest.fixture
async def server(start_node: StartNode) -> AsyncIterator[HttpApiServer]:
    async with serving(await start_node(), body_bytes_max=4096, request_deadline_s=1.0) as server:
        yield server


@pytest.fixture
async def web() -> AsyncIterator[aiohttp.ClientSession]:
    async with aiohttp.ClientSession(timeout=aiohttp.ClientTimeout(total=PATIENCE_S)) as session:
        yield session


async def post(web: aiohttp.ClientSession, url: str, **how: Any) -> tuple[int, Any]:
    """Return status and answer."""
    async with web.post(url, **how) as answer:
        return answer.status, json.loads(await answer.text())


@pytest.mark.parametrize(
    "headers",
    [
        {},
        {"X-API-Key": "no"},
        {"X-API-Key": ""},
        {"Authorization": f"Bearer {KEY}"},
        {"Authorization": "apikey no"},
        {"X-API-Key": "ä"},
    ],
    ids=["none", "unknown", "empty", "bearer", "unknown apikey", "not ASCII"],
)
async def test_without_a_known_key_nothing_is_done(
    server: HttpApiServer, web: aiohttp.ClientSession, headers: dict[str, str]
) -> None:
    for path in ("publish", "batch", "nope"):
        status, answer = await post(web, f"{server.url}/api/{path}", headers=headers, json=CALL)
        assert (status, answer["error"]["code"]) == ((404, 104) if path == "nope" else (401, 101))
    assert server.stats.refused == {401: 2, 404: 1}
    assert not server.stats.calls


async def test_the_client_says_that_its_key_is_wrong(server: HttpApiServer) -> None:
    client = cent.AsyncClient(f"{server.url}/api", "another key")
    with pytest.raises(cent.CentUnauthorizedError):
        await client.info(cent.InfoRequest())
    await client.close()


async def test_the_older_header_is_accepted(server: HttpApiServer, web: aiohttp.ClientSession) -> None:
    headers = {"Authorization": f"apikey {KEY}"}
    assert await post(web, f"{server.url}/api/publish", headers=headers, json=CALL) == (200, {"result": {}})


@pytest.mark.parametrize(
    ("method", "body", "status", "code", "words"),
    [
        ("publish", b"{", 400, 107, "cannot be read"),
        ("publish", b"[]", 400, 107, "object"),
        ("publish", b'{"channel": 1, "data": 1}', 400, 107, "channel"),
        ("publish", b'{"channel": "c", "data": 1, "tags": {"a": 1}}', 400, 107, "tags"),
        ("publish", b'{"channel": "\xff", "data": 1}', 400, 107, "cannot be read"),
        ("publish", b"[" * 3000, 400, 107, "cannot be read"),
        ("batch", b'{"commands": {}}', 400, 107, "commands"),
        ("publish", b"", 200, 107, "data is missing"),
        ("publish", b'{"data": 1}', 200, 107, "channel name is empty"),
        ("publish", b'{"channel": "c"}', 200, 107, "data is missing"),
        ("publish", b'{"channel": "c", "data": "\xff"}', 200, 107, "UTF-8"),
        ("publish", b'{"channel": "c\\u0000", "data": 1}', 200, 107, "control character"),
        ("publish", b'{"channel": "c", "b64data": "%"}', 200, 107, "base64"),
        ("publish", b'{"channel": "c", "b64data": "/w=="}', 200, 107, "JSON"),
        ("publish", b'{"channel": "c", "data": 1, "version": 3}', 200, 108, "version"),
        ("publish", b'{"channel": "c", "data": 1, "idempotency_key": "k"}', 200, 108, "history"),
        ("broadcast", b'{"data": 1}', 200, 107, "channels"),
        ("presence", b"{}", 200, 107, "channel name is empty"),
        ("channels", b'{"pattern": "}"}', 200, 107, "brace"),
    ],
)  # fmt: skip
async def test_a_wrong_call_is_refused_in_words(
    server: HttpApiServer, web: aiohttp.ClientSession, method: str, body: bytes, status: int, code: int, words: str
) -> None:
    found, answer = await post(web, f"{server.url}/api/{method}", headers=WITH_KEY, data=body)
    assert (found, answer["error"]["code"]) == (status, code), answer
    assert words in answer["error"]["message"]
    assert server.stats.calls == {(method, str(code)): 1}


async def test_wrong_commands_of_a_batch_are_refused_alone(server: HttpApiServer, web: aiohttp.ClientSession) -> None:
    commands = [{"nope": {}}, {}, {"publish": CALL, "info": {}}, {"publish": {"channel": 1}}, {"publish": CALL}]
    status, answer = await post(web, f"{server.url}/api/batch", headers=WITH_KEY, json={"commands": commands})
    assert status == 200
    assert [reply.get("error", {}).get("code") for reply in answer["replies"]] == [104, 104, 104, 107, None]
    assert answer["replies"][4] == {"publish": {}}


async def test_a_batch_of_too_many_commands_is_refused(start_node: StartNode, web: aiohttp.ClientSession) -> None:
    async with serving(await start_node(), commands_max=2) as server:
        commands = {"commands": [{"publish": CALL}] * 3}
        status, answer = await post(web, f"{server.url}/api/batch", headers=WITH_KEY, json=commands)
        assert (status, answer["error"]["code"]) == (200, 106)


@pytest.mark.parametrize(
    ("verb", "path", "status", "code"),
    [
        ("POST", "/api", 404, 104),
        ("POST", "/api/nope", 404, 104),
        ("POST", "/", 404, 104),
        ("GET", "/api/publish", 405, 107),
    ],
)  # fmt: skip
async def test_an_unknown_method_is_answered_with_where_methods_are(
    server: HttpApiServer, web: aiohttp.ClientSession, verb: str, path: str, status: int, code: int
) -> None:
    async with web.request(verb, f"{server.url}{path}", headers=WITH_KEY, data=b"{}") as answer:
        assert answer.status == status
        error = json.loads(await answer.text())["error"]
        assert error["code"] == code
        assert "methods are" in error["message"]


async def test_a_body_that_is_too_long_is_refused(server: HttpApiServer, web: aiohttp.ClientSession) -> None:
    body = json.dumps({"channel": "c", "data": "x" * 5000}).encode()
    status, answer = await post(web, f"{server.url}/api/publish", headers=WITH_KEY, data=body)
    assert (status, answer["error"]["code"]) == (413, 106)
    assert "4096 bytes" in answer["error"]["message"]


async def test_data_that_no_client_could_get_is_refused(start_node: StartNode, web: aiohttp.ClientSession) -> None:
    async with serving(await start_node(message_bytes_max=4096, outbox_bytes_max=4096)) as server:
        call = {"channel": "c", "data": "x" * 5000}
        status, answer = await post(web, f"{server.url}/api/publish", headers=WITH_KEY, json=call)
        assert (status, answer["error"]["code"]) == (200, 106)


async def test_a_body_that_does_not_come_ends_at_the_deadline(server: HttpApiServer) -> None:
    host, _, port = server.url.removeprefix("http://").partition(":")
    reader, writer = await asyncio.open_connection(host, int(port))
    writer.write(f"POST /api/publish HTTP/1.1\r\nhost: x\r\nx-api-key: {KEY}\r\ncontent-length: 100\r\n\r\n{{".encode())
    async with asyncio.timeout(PATIENCE_S):
        answer = await reader.read()
    assert answer.startswith(b"HTTP/1.1 408 ")
    assert b"http_api.request_deadline_s" in answer
    writer.close()


@pytest.mark.parametrize("method", ["publish", "presence", "history", "subscribe"])
async def test_a_channel_of_no_namespace_is_refused(
    start_node: StartNode, web: aiohttp.ClientSession, method: str
) -> None:
    async with serving(await start_node(insecure=False)) as server:
        call = {"channel": "nope:c", "data": 1, "user": "u"}
        status, answer = await post(web, f"{server.url}/api/{method}", headers=WITH_KEY, json=call)
        assert (status, answer["error"]["code"]) == (200, 102)


async def test_keys_of_a_file_are_read_again(start_node: StartNode, web: aiohttp.ClientSession, tmp_path: Path) -> None:
    file = tmp_path / "keys"
    file.write_text("# ours\n" + "k" * 16)
    async with serving(await start_node(), key="", key_file=str(file)) as server:
        for key, status in (("k" * 16, 200), ("l" * 16, 401)):
            headers = {"X-API-Key": key}
            assert (await post(web, f"{server.url}/api/publish", headers=headers, json=CALL))[0] == status
        file.write_text("l" * 16)
        for key, status in (("k" * 16, 401), ("l" * 16, 200)):
            headers = {"X-API-Key": key}
            assert (await post(web, f"{server.url}/api/publish", headers=headers, json=CALL))[0] == status


async def test_without_keys_programs_may_call_and_pages_may_not(
    start_node: StartNode, web: aiohttp.ClientSession
) -> None:
    async with serving(await start_node(), key="", insecure=True) as server:
        url = f"{server.url}/api/publish"
        assert (await post(web, url, json=CALL))[0] == 200
        assert (await post(web, url, json=CALL, headers={"Origin": "https://evil.example"}))[0] == 403
        assert (await post(web, url, json=CALL, headers={"Host": "evil.example"}))[0] == 403
        assert (await post(web, url, data=json.dumps(CALL), headers={"Content-Type": "text/plain"}))[0] == 415


async def test_the_document_names_every_method_and_needs_no_key(
    server: HttpApiServer, web: aiohttp.ClientSession
) -> None:
    async with web.get(f"{server.url}/api/openapi.json") as answer:
        assert answer.status == 200
        document = json.loads(await answer.text())
    assert {"/api/publish", "/api/broadcast", "/api/batch", "/api/info"} <= set(document["paths"])


@pytest.mark.parametrize(
    ("settings", "words"),
    [
        ({}, "there is no key"),
        ({"key": "short"}, "at least 16"),
        ({"key": "with a space in it"}, "visible ASCII"),
        ({"key_file": "/no/such/file"}, "cannot be read"),
        ({"insecure": True, "host": "0.0.0.0"}, "other machines reach"),
        ({"insecure": True, "host": "*"}, "other machines reach"),
    ],
    ids=["no key", "short", "space", "no file", "open", "everywhere"],
)
async def test_a_port_that_everybody_or_nobody_could_use_is_refused(settings: dict[str, Any], words: str) -> None:
    with pytest.raises(ConfigError, match=words):
        HttpApiServer(HttpApiConfig(port=0, **settings))

"""The registration port on a real socket, used by curl as the reference shows it."""

import asyncio
import json
import re
import socket
from pathlib import Path

import pytest

from integration.registration.kit import registration_port
from ringway.errors import ConfigError
from ringway.sources.registration.config import RegistrationConfig
from ringway.sources.registration.server import RegistrationServer

REFERENCE = Path(__file__).parents[3] / "docs" / "reference" / "registration.md"
TOKEN = "t" * 32


def blocks(kind: str) -> list[str]:
    return re.findall(rf"```{kind}\n(.*?)```", REFERENCE.read_text(), re.DOTALL)


async def run(command: str, at: str) -> tuple[int, str]:
    """Run a command of the reference; return the status and the body."""
    shown = command.strip().replace("curl -sS", "curl -sS -w '\n%{http_code}' --max-time 20")
    process = await asyncio.create_subprocess_exec(
        "sh", "-c", shown, env={"AT": at, "TOKEN": TOKEN, "PATH": "/usr/bin:/bin"}, stdout=asyncio.subprocess.PIPE
    )
    out, _ = await process.communicate()
    body, _, status = out.decode().rpartition("\n")
    return int(status), body


async def test_every_command_of_the_reference_does_what_it_says(tmp_path: Path) -> None:
    tokens = tmp_path / "tokens"
    tokens.write_text(TOKEN)
    register, renew, drain, leave, backends, backend = blocks("sh")
    granted, _, _, renewed, drained = map(json.loads, blocks("json"))
    async with registration_port(tokens_file=str(tokens)) as port:
        status, body = await run(register, port.url)
        assert (status, json.loads(body).keys()) == (201, granted.keys())
        assert (await run(register, port.url))[0] == 200
        status, body = await run(register.replace("10.0.0.5", "10.0.0.6"), port.url)
        assert status == 409
        assert re.sub(r"\d+\.\d+", "7.5", body) == re.sub(r"\d+\.\d+", "7.5", blocks("json")[1].strip())
        status, body = await run(renew, port.url)
        assert (status, json.loads(body).keys(), json.loads(body)["state"]) == (200, renewed.keys(), "active")
        assert (await run(backends, port.url))[0] == (await run(backend, port.url))[0] == 200
        status, body = await run(drain, port.url)
        assert (status, json.loads(body).keys(), json.loads(body)["state"]) == (200, drained.keys(), "draining")
        assert port.offers()["chat-1"].draining
        assert await run(leave, port.url) == (204, "")
        assert port.offers() == {}
        assert (await run(renew, port.url))[0] == 404
        assert (await run(renew.replace("$TOKEN", "unknown"), port.url))[0] == 401


async def test_a_lease_that_nobody_renews_is_a_death() -> None:
    async with registration_port() as port:
        command = 'curl -sS -X PUT "$AT/v1/backends/a" -H "Content-Type: application/json" -d '
        assert (await run(command + '\'{"url": "ws://127.0.0.1:9000", "ttl_s": 1}\'', port.url))[0] == 201
        await port.until_offered("a")
        await port.until_offered()
        assert port.sink.lost == ["a"]


def test_a_port_that_others_reach_needs_tokens_and_is_closed_again() -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        number = taken.getsockname()[1]
    with pytest.raises(ConfigError, match=r"registration\.tokens_file"):
        RegistrationServer(RegistrationConfig(host="0.0.0.0", port=number))
    with socket.socket() as again:
        again.bind(("0.0.0.0", number))


def test_a_port_in_use_is_named_with_the_flag_that_changes_it() -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        number = taken.getsockname()[1]
        with pytest.raises(ConfigError, match=rf"registration port 127\.0\.0\.1:{number} .*--registration-port"):
            RegistrationServer(RegistrationConfig(port=number))

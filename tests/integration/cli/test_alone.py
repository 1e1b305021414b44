"""Commands without a system: what they need is named, and static backends need none."""

import json
import urllib.request

import pytest
from websockets.asyncio.client import connect
from websockets.asyncio.server import serve

from integration.cli.kit import end, run, start
from ringway.testing.system import free_port, wait_for

SECRET = "0123456789abcdef"


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("nodes",), "no system runs from"),
        (("node",), "start one with `ringway up`"),
        (("pub", "room", "x"), "name a gateway: --url"),
        (("node", "--engine", "redis://localhost"), "is of no known kind"),
        (("node", "--engine", "nats://127.0.0.1:1", "--secret", SECRET, "--engine-wait-s", "0"), "127.0.0.1:1"),
        (("nodes", "--engine", "nats://127.0.0.1:1"), "can be reached"),
        (("node", "--engine", "nats://host:port", "--secret", SECRET), "host:port"),
        (("node", "--engine", "nats://127.0.0.1:1"), "there is no secret"),
        (("node", "--engine", "nats://127.0.0.1:1", "--secret", "short"), "give at least 16"),
        (("gateway", "--backend", "http://127.0.0.1:1"), "must begin with ws://"),
        (("gateway", "--backend", "ws://127.0.0.1:1", "--policy", "best"), "the policy 'best' is unknown"),
        (("gateway", "--port", "x"), "gateway.port is 'x' (--port)"),
        (("up", "--policy", "best"), "the policy 'best' is unknown"),
        (("up", "--config", "none.toml"), "none.toml"),
    ],
)
def test_what_is_missing_or_wrong_is_one_line_and_exit_code_2(tmp_path, arguments, said):
    done = run(tmp_path, *arguments)
    assert done.returncode == 2, done.stderr
    assert done.stdout == ""
    [line] = done.stderr.splitlines()
    assert line.startswith("ringway: ")
    assert said in line


async def test_a_gateway_over_static_backends_needs_no_engine(tmp_path):
    async def echo(socket) -> None:
        async for message in socket:
            await socket.send(message)

    async with serve(echo, "127.0.0.1", 0) as backend:
        url = f"ws://127.0.0.1:{backend.sockets[0].getsockname()[1]}"
        port, admin_port = str(free_port()), str(free_port())
        options = ("--port", port, "--admin-port", admin_port)
        gateway = start(tmp_path, "gateway", "--backend", f"{url},name=echo,weight=2", *options)
        try:
            ready = f"http://127.0.0.1:{port}/readyz"
            await _in_thread(wait_for, lambda: urllib.request.urlopen(ready, timeout=5).status == 200, "the gateway")
            async with connect(f"ws://127.0.0.1:{port}/any/path") as client:
                await client.send("hello")
                assert await client.recv() == "hello"
            [row] = json.loads(await _in_thread(_read, f"http://127.0.0.1:{admin_port}/v1/nodes"))
            assert (row["name"], row["weight"]) == ("echo", 2.0)
            health = json.loads(await _in_thread(_read, f"http://127.0.0.1:{admin_port}/healthz"))
            assert (health["engine"], health["ready"]) == ("none", True)
        finally:
            code, _, err = await _in_thread(end, gateway, 15)
        assert code == 0
        assert "Traceback" not in err


def _read(url: str) -> str:
    with urllib.request.urlopen(url, timeout=10) as answer:
        return answer.read().decode()


async def _in_thread(call, *arguments):
    import asyncio

    return await asyncio.to_thread(call, *arguments)

"""Commands without a system: errors name the missing part, and a gateway over backends needs no system."""

import json
import urllib.error
import urllib.request

import pytest
from websockets.asyncio.client import connect
from websockets.asyncio.server import serve

from integration.cli.kit import end, run, start
from support.system import free_port, wait_for

SECRET = "0123456789abcdef"


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("nodes",), "no system runs from"),
        (("policy",), "no system runs from"),
        (("explain",), "no system runs from"),
        (("freeze",), "no system runs from"),
        (("moves",), "no system runs from"),
        (("policy", "set", "best"), "the policy 'best' is unknown"),
        (("node",), "start one with `ringway up`"),
        (("pub", "room", "x"), "name a gateway: --url"),
        (("node", "--engine", "mqtt://localhost"), "is of no known kind"),
        (("node", "--engine", "redis://127.0.0.1:1", "--secret", SECRET, "--engine-wait-s", "0"), "127.0.0.1:1"),
        (("nodes", "--engine", "redis://a,b", "--secret", SECRET), "redis+cluster://"),
        (("node", "--engine", "nats://127.0.0.1:1", "--secret", SECRET, "--engine-wait-s", "0"), "127.0.0.1:1"),
        (("nodes", "--engine", "nats://127.0.0.1:1", "--secret", SECRET), "can be reached"),
        (("node", "--engine", "nats://host:port", "--secret", SECRET), "host:port"),
        (("node", "--engine", "nats://127.0.0.1:1"), "there is no secret"),
        (("drain", "node-1", "--engine", "nats://127.0.0.1:1"), "RINGWAY_ENGINE_SECRET"),
        (("node", "--engine", "nats://127.0.0.1:1", "--secret", "short"), "give at least 16"),
        (("gateway", "--backend", "http://127.0.0.1:1"), "must begin with ws://"),
        (("gateway", "--backend", "ws://127.0.0.1:1", "--policy", "best"), "the policy 'best' is unknown"),
        (("gateway", "--port", "x"), "gateway.port is 'x' (--port)"),
        (("up", "--policy", "best"), "the policy 'best' is unknown"),
        (("up", "--policy", "two-choices:d=9"), "gateway.policy is 'two-choices:d=9' (--policy): the option d=9"),
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


async def test_a_gateway_over_backends_needs_no_engine(tmp_path):
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
            await _in_thread(_steer_without_engine, f"http://127.0.0.1:{admin_port}")
        finally:
            code, _, err = await _in_thread(end, gateway, 15)
        assert code == 0
        assert "Traceback" not in err


def _steer_without_engine(admin: str) -> None:
    """The policy is explained and changed, moves are frozen, and a backend is drained, as with an engine."""
    said = json.loads(_read(f"{admin}/v1/explain?key=a"))
    assert (said["chosen"], said["policy"]) == ("echo", "two-choices")
    assert _change(f"{admin}/v1/policy", "PUT", {"policy": "rendezvous"})["policy"] == "rendezvous"
    assert json.loads(_read(f"{admin}/v1/explain"))["policy"] == "rendezvous"
    assert _change(f"{admin}/v1/freeze", "POST", {})["frozen"]
    assert _change(f"{admin}/v1/nodes/echo/drain", "POST", {})["why"] == ""
    wait_for(lambda: json.loads(_read(f"{admin}/v1/nodes"))[0]["state"] == "draining", "the drain")
    assert _change(f"{admin}/v1/nodes/echo/drain", "DELETE", {})["node"] == "echo"
    wait_for(lambda: json.loads(_read(f"{admin}/v1/nodes"))[0]["state"] == "active", "the end of the drain")
    assert _change(f"{admin}/v1/rebalance", "POST", {"dry_run": True})["quotas"] == []


def _change(url: str, method: str, body: dict[str, str]) -> dict[str, str]:
    raw = json.dumps(body).encode()
    request = urllib.request.Request(url, raw, {"Content-Type": "application/json"}, method=method)
    with urllib.request.urlopen(request, timeout=10) as answer:
        return json.load(answer)


def _read(url: str) -> str:
    with urllib.request.urlopen(url, timeout=10) as answer:
        return answer.read().decode()


async def _in_thread(call, *arguments):
    import asyncio

    return await asyncio.to_thread(call, *arguments)


def test_a_wrong_policy_in_a_file_is_named_with_its_place(tmp_path):
    file = tmp_path / "ringway.toml"
    file.write_text('[gateway.policy]\nname = "two-choices"\nd = 9\n')
    for command in (("config", "show"), ("up",), ("gateway", "--backend", "ws://127.0.0.1:1")):
        done = run(tmp_path, *command, "--config", str(file))
        assert done.returncode == 2
        [line] = done.stderr.splitlines()
        assert (
            f"gateway.policy is 'two-choices:d=9' ({file}): the option d=9 of the policy two-choices is wrong" in line
        )
    file.write_text('[gateway.policy]\nname = "two-choices"\nd = 3\n')
    assert 'policy = "two-choices:d=3"' in run(tmp_path, "config", "show", "--config", str(file)).stdout
    assert "rendezvous" in run(tmp_path, "policy", "list").stdout
    named = json.loads(run(tmp_path, "policy", "list", "--json").stdout)
    assert [each["policy"] for each in named if each["default"]] == ["two-choices"]


def test_if_no_gateway_without_an_engine_is_found_the_error_says_how_to_name_one(tmp_path):
    done = run(tmp_path, "explain", RINGWAY_STATIC_BACKENDS="ws://127.0.0.1:1")
    assert done.returncode == 2
    assert "--admin http://host:8001" in done.stderr

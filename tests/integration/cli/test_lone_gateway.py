"""Commands for a gateway without an engine: found by the state directory, or named by its admin port."""

import asyncio
import json
import signal
import subprocess
import urllib.request
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager, suppress
from pathlib import Path

import pytest
from websockets.asyncio.client import connect
from websockets.asyncio.server import serve
from websockets.exceptions import ConnectionClosed, InvalidStatus

from integration.cli.kit import end, run, start
from support.system import free_port, wait_for
from support.tokens import SECRET, make_token

CLIENTS = 6


async def _echo(socket) -> None:
    with suppress(ConnectionClosed):
        async for message in socket:
            await socket.send(message)


class Lone:
    """A gateway over two backends, `a` and `b`; its state is in `state`."""

    def __init__(self, state: Path, urls: list[str], *more: str, token: str | None = "") -> None:
        self.state = state
        self.token = token
        self.port, self.admin_port = free_port(), free_port()
        backends = [word for url, name in zip(urls, "ab", strict=True) for word in ("--backend", f"{url},name={name}")]
        ports = ("--port", str(self.port), "--admin-port", str(self.admin_port))
        self.process = start(state, "gateway", *backends, *ports, "--balance-settle-s", "0", *more)

    @property
    def admin(self) -> str:
        return f"http://127.0.0.1:{self.admin_port}"

    def wait(self) -> None:
        ready = f"http://127.0.0.1:{self.port}/readyz"
        wait_for(lambda: urllib.request.urlopen(ready, timeout=5).status == 200, "the gateway")
        if self.token is not None:
            wait_for(lambda: len(self.ask("/v1/nodes")) == 2, "both backends")

    def ask(self, path: str) -> object:
        headers = {"Authorization": f"Bearer {self.token}"} if self.token else {}
        with urllib.request.urlopen(urllib.request.Request(self.admin + path, headers=headers), timeout=10) as answer:
            return json.load(answer)


@asynccontextmanager
async def lone_gateway(state: Path, *more: str, token: str | None = "") -> AsyncIterator[Lone]:
    """Run a gateway; `token` is for its admin port, None if that tells nothing."""
    async with serve(_echo, "127.0.0.1", 0) as first, serve(_echo, "127.0.0.1", 0) as second:
        urls = [f"ws://127.0.0.1:{each.sockets[0].getsockname()[1]}" for each in (first, second)]
        gateway = Lone(state, urls, *more, token=token)
        try:
            await asyncio.to_thread(gateway.wait)
            yield gateway
        finally:
            code, _, err = await asyncio.to_thread(end, gateway.process)
            assert (code, "Traceback" in err) == (0, False), err


async def command(state: Path, *words: str, **more: str) -> "subprocess.CompletedProcess[str]":
    return await asyncio.to_thread(run, state, *words, **more)


async def well(state: Path, *words: str) -> str:
    done = await command(state, *words)
    assert done.returncode == 0, done.stderr
    return done.stdout


@pytest.mark.parametrize("named", [False, True], ids=["found", "named"])
async def test_every_command_of_operators_works(tmp_path, named):
    async with lone_gateway(tmp_path / "gateway") as gateway, AsyncExitStack() as stack:
        sockets = [await stack.enter_async_context(connect(f"ws://127.0.0.1:{gateway.port}/x")) for _ in range(CLIENTS)]
        state = tmp_path / "elsewhere" if named else gateway.state
        at = ("--admin", gateway.admin) if named else ()

        nodes = json.loads(await well(state, "nodes", "--json", *at))
        assert [row["name"] for row in nodes] == ["a", "b"]
        assert "gateway" in await well(state, "nodes", *at)
        top = json.loads(await well(state, "top", "--once", "--json", *at))
        assert sum(row["connections"] for row in top) == CLIENTS
        assert json.loads(await well(state, "explain", "--json", *at))["chosen"] in ("a", "b")

        await well(state, "freeze", "--why", "a test", *at)
        assert json.loads(await well(state, "rebalance", "--dry-run", "--json", *at))["frozen"].endswith("a test")
        assert gateway.ask("/v1/policy")["frozen"].endswith("a test")
        frozen = "Moves are frozen: an operator has frozen it: a test. `ringway unfreeze` lets them go on."
        for words in (("moves",), ("nodes",), ("top", "--once")):
            shown = await well(state, *words, *at)
            assert frozen in " ".join(shown.split()), words
        assert (await command(state, "moves", "--json", *at)).stderr == frozen + "\n"
        rows = json.loads(await well(state, "nodes", "--json", *at))
        assert [row["frozen"] for row in rows] == 2 * ["an operator has frozen it: a test"]
        assert [row["frozen"] for row in gateway.ask("/v1/nodes")] == 2 * ["an operator has frozen it: a test"]
        await well(state, "unfreeze", *at)

        drained = json.loads(await well(state, "drain", "a", "--json", *at))
        assert (drained["node"], drained["connections"]) == ("a", 0)
        rows = {row["name"]: row for row in json.loads(await well(state, "nodes", "--json", *at))}
        assert (rows["a"]["state"], rows["b"]["connections"]) == ("draining", CLIENTS)
        assert json.loads(await well(state, "moves", "--json", *at))[0]["cause"] == "drain"
        await well(state, "undrain", "a", *at)
        await asyncio.to_thread(wait_for, lambda: gateway.ask("/v1/nodes")[0]["state"] == "active", "a is back")
        await well(state, "rebalance", *at)
        would = await well(state, "roll", "--command", "true", "--dry-run", *at)
        assert "2 restarts" in would
        rolled = await well(state, "roll", "--command", "true", "--pause", "0", *at)
        assert "2 nodes were restarted" in rolled
        await well(state, "policy", "set", "rendezvous", *at)
        assert gateway.ask("/v1/policy")["policy"] == "rendezvous"

        for socket in sockets:
            await socket.send("still there")
            assert await socket.recv() == "still there"


async def test_a_token_is_revoked_at_a_gateway_without_an_engine(tmp_path):
    secret = tmp_path / "secret"
    secret.write_text(SECRET.decode())
    settings = ("--route", "path=/ auth=jwt", "--token-hmac-secret-key-file", str(secret))
    async with lone_gateway(tmp_path, *settings) as gateway:
        url = f"ws://127.0.0.1:{gateway.port}/?token={make_token({'sub': 'carol', 'jti': 't1'})}"
        async with connect(url) as socket:
            said = await well(tmp_path, "token", "revoke", "--id", "t1")
            assert said == "1 member refuses the token t1 from now on.\n"
            with pytest.raises(ConnectionClosed):
                await asyncio.wait_for(socket.recv(), 90)
            assert socket.close_code == 3500
        with pytest.raises(InvalidStatus):
            await connect(url)


async def test_a_roll_that_ends_early_names_the_node_that_it_leaves_draining(tmp_path):
    async with lone_gateway(tmp_path) as gateway:
        failed = await command(tmp_path, "roll", "--command", "false", "--nodes", "b,a")
        assert failed.returncode == 1
        assert "the command failed (exit code 1): false. It ended at b" in failed.stderr
        assert "b is left draining, and gets no new clients: `ringway undrain b` takes it back" in failed.stderr
        await well(tmp_path, "undrain", "b")

        roll = start(tmp_path, "roll", "--command", "sleep 60", "--nodes", "a")
        await asyncio.to_thread(wait_for, lambda: gateway.ask("/v1/nodes")[0]["state"] == "draining", "a to drain")
        code, _, err = await asyncio.to_thread(end, roll)
        assert code == 130
        assert "interrupted. It ended at a; restarted before: none; not yet: none. a is left draining" in err


async def test_a_roll_that_is_interrupted_in_a_pause_says_what_was_done_and_leaves_no_node_draining(tmp_path):
    async with lone_gateway(tmp_path) as gateway:
        roll = start(tmp_path, "roll", "--command", "true", "--nodes", "b,a", "--pause", "10m")
        assert roll.stdout is not None
        while "1/2 b: back" not in (line := await asyncio.to_thread(roll.stdout.readline)):
            assert line, "it ended before its first node was back"
        code, _, err = await asyncio.to_thread(end, roll)
        assert code == 130
        assert "interrupted. It ended between two nodes; restarted: b; not yet: a. No node is left draining" in err
        assert [row["state"] for row in gateway.ask("/v1/nodes")] == ["active", "active"]


async def test_a_group_that_is_not_there_ends_every_command_alike(tmp_path):
    async with lone_gateway(tmp_path):
        for words in (("freeze",), ("policy", "set", "ring"), ("rebalance",), ("explain",)):
            done = await command(tmp_path, *words, "--group", "chat")
            assert done.returncode == 2, words
            assert "there is no group 'chat'; there is only default. A group exists when" in done.stderr


async def test_commands_that_change_nothing_say_so(tmp_path):
    async with lone_gateway(tmp_path) as gateway:
        assert await well(tmp_path, "undrain", "a") == "a did not drain: nothing was changed\n"
        assert "No operator had frozen moves: nothing was changed" in await well(tmp_path, "unfreeze")
        assert gateway.ask("/v1/policy")["version"] == 0
        await well(tmp_path, "freeze", "--group", "default")
        assert "of group default again" in await well(tmp_path, "unfreeze", "--group", "default")
        assert "of group default: nothing was changed" in await well(tmp_path, "unfreeze", "--group", "default")
        await well(tmp_path, "policy", "set", "rendezvous:key=path")
        assert "A client with the key '/chat/r1' goes to" in await well(tmp_path, "explain", "--path", "/chat/r1")
        assert "Newcomers" not in await well(tmp_path, "policy")


@pytest.mark.parametrize("scheme", ["http", "ws"])
async def test_that_there_is_no_channel_node_is_said(tmp_path, scheme):
    async with lone_gateway(tmp_path) as gateway:
        url = f"{scheme}://127.0.0.1:{gateway.port}"
        for words in (("pub", "news", "hello"), ("sub", "news")):
            done = await command(tmp_path, *words, "--url", url)
            assert done.returncode == 2
            assert f"the gateway at {url} has no channel node, only backends" in done.stderr


async def test_after_its_death_the_remedies_that_fit_are_named(tmp_path):
    async with serve(_echo, "127.0.0.1", 0) as server:
        gateway = Lone(tmp_path, [f"ws://127.0.0.1:{server.sockets[0].getsockname()[1]}"] * 2)
        await asyncio.to_thread(gateway.wait)
        await asyncio.to_thread(end, gateway.process, signal.SIGKILL)
        done = await command(tmp_path, "nodes")
    assert done.returncode == 2
    assert "no system runs from" in done.stderr
    assert "--admin http://host:8001" in done.stderr
    assert f"The gateway at http://127.0.0.1:{gateway.port} has ended: start it again" in done.stderr


async def test_a_deadline_that_cannot_be_met_is_refused_with_its_reason(tmp_path):
    async with lone_gateway(tmp_path) as gateway, AsyncExitStack() as stack:
        for _ in range(CLIENTS):
            await stack.enter_async_context(connect(f"ws://127.0.0.1:{gateway.port}/x"))
        refused = await command(tmp_path, "drain", "none", "--within", "60s")
        assert (refused.returncode, "there are a, b" in refused.stderr) == (2, True)
        drained = await command(tmp_path, "drain", "a", "--within", "60s", "--no-wait")
        assert drained.returncode == 0, drained.stderr


async def test_of_several_gateways_one_must_be_named(tmp_path):
    async with lone_gateway(tmp_path) as first, lone_gateway(tmp_path) as second:
        done = await command(tmp_path, "nodes")
        assert done.returncode == 2
        [line] = done.stderr.splitlines()
        assert first.admin in line
        assert second.admin in line
        assert "--admin" in line
        assert len(json.loads(await well(tmp_path, "nodes", "--json", "--admin", second.admin))) == 2
    assert "no system runs from" in (await command(tmp_path, "nodes")).stderr  # they have forgotten themselves


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("--admin", "http://127.0.0.1:1"), "no admin port of a gateway answers at http://127.0.0.1:1"),
        (("--admin", "127.0.0.1:8001"), "must begin with http://"),
        (("--admin", "http://127.0.0.1:8001", "--engine", "nats://127.0.0.1:1"), "name a system each"),
        (("--admin", "http://127.0.0.1:8001", "--state", "/x"), "name a system each"),
    ],
    ids=["nobody", "no scheme", "and an engine", "and a state"],
)
async def test_a_wrong_admin_port_is_one_line(tmp_path, words, said):
    done = await command(tmp_path, "nodes", *words)
    assert done.returncode == 2
    [line] = done.stderr.splitlines()
    assert said in line


async def test_a_port_that_is_none_of_a_gateway_is_named(tmp_path):
    async with serve(_echo, "127.0.0.1", 0) as other:
        url = f"http://127.0.0.1:{other.sockets[0].getsockname()[1]}"
        done = await command(tmp_path, "nodes", "--admin", url)
    assert done.returncode != 0
    assert url in done.stderr
    assert "Traceback" not in done.stderr

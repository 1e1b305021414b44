"""Functions of Python that answer clients' calls (RPC), in real node processes that are drained and stopped."""

import asyncio
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

import ringway
from integration.cli.kit import run
from integration.system.conftest import SOON
from integration.system.test_documents import blocks
from support.system import System, running_system

CALLS = """
import asyncio
import os
import time
from pathlib import Path

import ringway

WAIT = Path(os.environ["CALLS_WAIT"])


async def answer(call: ringway.RpcCall) -> object:
    if call.method == "wait":
        with open(f"{WAIT}.begun", "a") as log:
            log.write(f"{call.data}\\n")
        while not WAIT.exists():
            await asyncio.sleep(0.02)
    if call.method == "fail":
        raise ValueError("the secret of the function")
    if call.method == "refuse":
        raise ringway.RpcError(1000, "no such room")
    return {"node": os.environ["RINGWAY_MEMBER_NAME"], "data": call.data, "client": call.client}


def plain(call):
    time.sleep(call.data)
    return "done"
"""


@pytest.fixture
def wait(tmp_path: Path) -> Path:
    """Calls of `wait` are answered when this file is there; beside it `.begun` has a line for each that began."""
    return tmp_path / "go"


@pytest.fixture
def system(tmp_path: Path, wait: Path) -> Iterator[System]:
    (tmp_path / "calls_of_test.py").write_text(CALLS)
    environ = {
        **SOON,
        "PYTHONPATH": str(tmp_path),
        "CALLS_WAIT": str(wait),
        "RINGWAY_RPC_TIMEOUT_S": "60",
        "RINGWAY_NODE_STOP_DEADLINE_S": "60",
        "RINGWAY_NODE_MOVE_COOL_DOWN_S": "0",
    }
    flags = ("--rpc", "calls_of_test:answer", "--rpc", "plain=calls_of_test:plain")
    with running_system(*flags, nodes=2, up_environ=environ, environ={"PYTHONPATH": str(tmp_path)}) as running:
        yield running


async def test_the_functions_of_the_documents_work(tmp_path: Path) -> None:
    function, program, _ = blocks("docs/howto/rpc.md", "python")
    (tmp_path / "calls.py").write_text(function)
    environ = {"PYTHONPATH": str(tmp_path)}
    with running_system("--rpc", "calls:answer", nodes=1, up_environ=environ) as system:
        (tmp_path / "program.py").write_text(program.replace("http://127.0.0.1:8000", system.gateway_url))
        words = [sys.executable, str(tmp_path / "program.py")]
        done = subprocess.run(words, capture_output=True, text=True, timeout=60, check=False)
        assert done.stdout == "6\n", done.stderr
        async with ringway.Client(system.gateway_url) as client:
            assert await client.rpc("whoami") == {"user": "", "client": client.id}
            with pytest.raises(ringway.CommandError, match="there is no method other"):
                await client.rpc("other")


async def begun(wait: Path, count: int) -> None:
    """Return when `count` calls of `wait` have begun."""
    log = wait.with_name("go.begun")
    async with asyncio.timeout(90):
        while not log.exists() or len(log.read_text().splitlines()) < count:
            await asyncio.sleep(0.02)


async def test_functions_answer_through_the_gateway_and_directly(system: System) -> None:
    for via in ("direct", "gateway"):
        async with ringway.Client(system.gateway_url, via=via) as client:
            answer = await client.rpc("hello", [1])
            assert (answer["data"], answer["client"]) == ([1], client.id)
            assert await client.rpc("plain:sleep", 0) == "done"
            for method, code in (("refuse", 1000), ("fail", 100), ("none:m", 104)):
                with pytest.raises(ringway.CommandError) as refused:
                    await client.rpc(method)
                assert refused.value.code == code
                assert "secret" not in str(refused.value)
            assert (await client.rpc("hello"))["client"] == client.id, "the client stays"
    logs = "".join(log.read_text() for log in (system.state / "logs").glob("node-*.log"))
    assert "ValueError: the secret of the function" in logs
    assert "Traceback" in logs


@pytest.mark.parametrize("via", ["direct", "gateway"])
async def test_a_drain_moves_a_client_without_losing_its_calls(system: System, wait: Path, via: str) -> None:
    async with ringway.Client(system.gateway_url, via=via) as client:
        node = client.node
        assert node is not None
        calls = [asyncio.create_task(client.rpc("wait", number, timeout_s=80)) for number in range(3)]
        await begun(wait, 3)
        await asyncio.to_thread(system.ringway, "drain", node, "--no-wait")
        for number in range(5):
            assert (await client.rpc("hello", number))["data"] == number
        wait.touch()
        answers = await asyncio.gather(*calls)
        assert [answer["data"] for answer in answers] == [0, 1, 2]
        async with asyncio.timeout(90):
            while (await client.rpc("hello"))["node"] == node:
                await asyncio.sleep(0.05)


async def test_a_node_that_is_stopped_answers_its_calls_first(system: System, wait: Path) -> None:
    async with ringway.Client(system.gateway_url) as client:
        node = client.node
        assert node is not None
        call = asyncio.create_task(client.rpc("wait", 1, timeout_s=80))
        await begun(wait, 1)
        system.kill(node, signal.SIGTERM)
        wait.touch()
        assert (await call)["node"] == node


async def test_a_plain_function_that_hangs_keeps_no_other_call_waiting(system: System) -> None:
    async with ringway.Client(system.gateway_url) as client:
        hanging = asyncio.create_task(client.rpc("plain:sleep", 300, timeout_s=300))
        for number in range(20):
            assert (await client.rpc("hello", number))["data"] == number
        assert await client.rpc("plain:sleep", 0) == "done"
        hanging.cancel()
    # The system ends though a thread hangs: `running_system` kills what does not.


@pytest.mark.parametrize("command", ["node", "up", "config"])
def test_a_function_that_cannot_be_loaded_is_refused_at_the_start(tmp_path: Path, command: str) -> None:
    words = ("config", "check") if command == "config" else (command, "--rpc", "nowhere:answer")
    environ = {"RINGWAY_ENGINE_URL": "memory://", "RINGWAY_ENGINE_SECRET": "s" * 32} if command == "node" else {}
    if command == "config":
        environ = {"RINGWAY_RPC_FUNCTIONS": "nowhere:answer"}
    done = run(tmp_path, *words, **environ)
    assert isinstance(done, subprocess.CompletedProcess)
    assert done.returncode == 2
    said = " ".join((done.stdout + done.stderr).split())
    assert "rpc.functions" in said
    assert "'nowhere:answer' of calls (RPC) cannot be loaded: ModuleNotFoundError" in said
    assert "write package.module:function" in said

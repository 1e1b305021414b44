"""The examples in Python, Go, Java and JavaScript: each registers, renews, drains on SIGTERM, and leaves."""

import asyncio
import os
import shutil
import signal
import sys
from pathlib import Path

import pytest

from integration.registration.kit import registration_port
from ringway.protocol.registration import BackendState
from ringway.types import NodeState

EXAMPLES = Path(__file__).parents[3] / "examples" / "register"
LINES_MAX = 60
PATIENCE_S = 60.0
TOKEN = "t" * 32

COMMANDS = {
    "register.py": (sys.executable, "register.py"),
    "register.mjs": ("node", "register.mjs"),
    "register.go": ("./register",),  # built, because `go run` passes no signal on
    "Register.java": ("java", "Register.java"),
}


async def build(example: str, folder: Path) -> tuple[str, ...]:
    """Return the command that runs an example; skip where its toolchain is not."""
    command = COMMANDS[example]
    if example == "register.go":
        if shutil.which("go") is None:
            pytest.skip("Go is not installed")
        making = await asyncio.create_subprocess_exec(
            "go", "build", "-o", str(folder / "register"), example, cwd=EXAMPLES
        )
        assert await making.wait() == 0
        return (str(folder / "register"),)
    if shutil.which(command[0]) is None:
        pytest.skip(f"{command[0]} is not installed")
    return command


@pytest.mark.slow
@pytest.mark.parametrize("example", COMMANDS)
async def test_an_example_registers_and_leaves_when_it_is_empty(example: str, tmp_path: Path) -> None:
    command = await build(example, tmp_path)
    tokens = tmp_path / "tokens"
    tokens.write_text(TOKEN)
    state = BackendState(state=NodeState.ACTIVE, left=2)
    parts = {"find_state": lambda name: state}
    async with registration_port(tokens_file=str(tokens), parts=parts) as registry:
        server = await asyncio.create_subprocess_exec(
            *command,
            "chat-1",
            "ws://127.0.0.1:9000",
            cwd=EXAMPLES,
            env={**os.environ, "AT": registry.url, "TOKEN": TOKEN},
        )
        try:
            async with asyncio.timeout(PATIENCE_S):
                await registry.until_offered("chat-1")
                first = registry.source.find("chat-1")
                assert (first.backend.url, bool(first.backend.life)) == ("ws://127.0.0.1:9000", True)
                while registry.source.find("chat-1").until == first.until:
                    await asyncio.sleep(0.02)
                server.send_signal(signal.SIGTERM)
                while not registry.offers()["chat-1"].draining:
                    await asyncio.sleep(0.02)
                assert server.returncode is None
                state = BackendState(state=NodeState.DRAINING, left=0)
                await registry.until_offered()
                assert await server.wait() in (0, 128 + signal.SIGTERM)
                assert registry.sink.lost == []
        finally:
            if server.returncode is None:
                server.kill()
                await server.wait()


def test_no_example_is_longer_than_a_screen() -> None:
    lengths = {name: len((EXAMPLES / name).read_text().splitlines()) for name in COMMANDS}
    assert {name: length for name, length in lengths.items() if length > LINES_MAX} == {}

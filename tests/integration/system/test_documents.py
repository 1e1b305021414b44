"""Documents that work as written: the README's tour and program, the tutorial's programs, the examples."""

import asyncio
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from integration.system.witness import until

ROOT = Path(__file__).parents[3]
GATEWAY = "http://127.0.0.1:8000"


def blocks(page: str, language: str) -> list[str]:
    """The code blocks of `language` in a page."""
    return re.findall(rf"^```{language}\n(.*?)^```", (ROOT / page).read_text(), re.MULTILINE | re.DOTALL)


@pytest.fixture
def environ(system) -> dict[str, str]:
    """Where commands and programs find the system, and the interpreter."""
    path = f"{Path(sys.executable).parent}:{os.environ['PATH']}"
    return {**system.environ, "PATH": path, "RINGWAY_URL": system.gateway_url, "PYTHONUNBUFFERED": "1"}


class Program:
    """A Python program that runs until the end of the test, and what it has printed."""

    def __init__(self, code: str, path: Path, environ: dict[str, str], *arguments: str) -> None:
        script, self._output = path.with_suffix(".py"), path.with_suffix(".out")
        script.write_text(code)
        with self._output.open("wb") as output:
            command = [sys.executable, script, *arguments]
            self.process = subprocess.Popen(command, env=environ, stdout=output, stderr=subprocess.STDOUT)

    def printed(self, text: str) -> bool:
        return text in self._output.read_text()

    def end(self) -> None:
        self.process.kill()
        self.process.wait()


def test_the_programs_of_the_readme_and_of_the_client_reference_run(system, environ, tmp_path):
    [readme] = blocks("README.md", "python")
    program = Program(readme.replace(GATEWAY, system.gateway_url), tmp_path / "readme", environ)
    assert program.process.wait(30) == 0
    assert program.printed("{'hello': 'world'}")


async def test_the_tutorial_and_the_example_listen_and_speak(system, environ, tmp_path):
    listen, say = blocks("docs/tutorial/1-hello.md", "python")
    pairs = [(listen.replace(GATEWAY, system.gateway_url), say.replace(GATEWAY, system.gateway_url))]
    pairs += [tuple((ROOT / "examples/01-hello" / name).read_text() for name in ("listen.py", "say.py"))]
    for number, (listening, speaking) in enumerate(pairs):
        listener = Program(listening, tmp_path / f"listen{number}", environ)
        try:
            await until(lambda seen=listener: seen.printed("on node-"), "the listener to begin")
            speaker = Program(speaking, tmp_path / f"say{number}", environ, "hello there")
            assert await asyncio.to_thread(speaker.process.wait, 30) == 0
            await until(lambda seen=listener: seen.printed("hello there"), "the words to arrive")
        finally:
            listener.end()


def test_the_sixty_seconds_of_the_readme_can_be_pasted(system, environ, tmp_path):
    tour = next(block for block in blocks("README.md", "sh") if "ringway top --once" in block)
    tour = "\n".join(line for line in tour.splitlines() if "activate" not in line)
    done = subprocess.run(
        ["bash", "-ec", tour], env=environ, cwd=tmp_path, capture_output=True, text=True, timeout=100, check=False
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert '{"hello":"world"}' in done.stdout.replace(" ", "")
    assert done.stdout.count("node-1") >= 2
    assert "node-3" in done.stdout

"""The tutorial about users runs as it is written: each block in its turn, and each output that it shows.

Only ports differ. What runs in a terminal of its own goes on beside the rest.
"""

import os
import re
import signal
import subprocess
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path

import pytest

from support.system import NODE_PORTS, free_port, wait_for

PAGE = Path(__file__).parents[3] / "docs/tutorial/3-users.md"
BLOCK = re.compile(
    r"(?:as `(?P<file>[a-z.]+)`.*?)?^```(?P<language>\w+)\n(?P<code>.*?)^```\n", re.MULTILINE | re.DOTALL
)
LASTING = {
    "ringway up": "Ringway is up",
    'ringway sub --token "$(cat dave)" room:lobby': "subscribed to room:lobby",
    "python carol.py": "carol reads the board",
}
"""Commands that have a terminal of their own, and what each prints when it is ready."""

HEARD = ("hello, dave", "meeting at ten", "you have mail", "connection closed with 3503")
"""What is printed in another terminal than that of the command that causes it."""


class Terminals:
    """The terminals of the reader."""

    def __init__(self, directory: Path, environ: Mapping[str, str]) -> None:
        self._directory = directory
        self._environ = environ
        self._lasting: dict[str, subprocess.Popen[bytes]] = {}

    def run(self, code: str) -> str:
        """Run a block to its end; return what it printed."""
        done = subprocess.run(
            ["bash", "-c", code],
            cwd=self._directory,
            env=self._environ,
            capture_output=True,
            text=True,
            timeout=90,
            check=False,
        )
        return done.stdout + done.stderr

    def start(self, code: str) -> None:
        """Run a block that lasts."""
        output = self._directory / f"{len(self._lasting)}.out"
        with output.open("wb") as out:
            process = subprocess.Popen(
                ["bash", "-c", f"exec {code}"], cwd=self._directory, env=self._environ, stdout=out, stderr=out
            )
        self._lasting[str(output)] = process

    def wait_for_output(self, text: str) -> None:
        """Wait until a command that lasts has printed `text`."""
        wait_for(lambda: any(text in Path(output).read_text() for output in self._lasting), repr(text))

    def end(self) -> None:
        """Press Ctrl-C in each terminal."""
        for process in self._lasting.values():
            if process.poll() is None:
                process.send_signal(signal.SIGINT)
        for process in self._lasting.values():
            process.wait(60)
        self._lasting.clear()


@pytest.fixture
def ports() -> dict[str, str]:
    """The ports of the page, and those that are free."""
    return {"8000": str(free_port()), "9200": str(free_port())}


@pytest.fixture
def terminals(tmp_path: Path, ports: dict[str, str]) -> Iterator[Terminals]:
    """Terminals in an empty directory."""
    clean = {name: value for name, value in os.environ.items() if not name.startswith("RINGWAY_")}
    settings = {
        "RINGWAY_STATE_DIR": str(tmp_path / "state"),
        "RINGWAY_GATEWAY_PORT": ports["8000"],
        "RINGWAY_ADMIN_PORT": str(free_port()),
        "RINGWAY_NODE_PORT": str(free_port(NODE_PORTS)),
        "PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}",
        "PYTHONUNBUFFERED": "1",
    }
    found = Terminals(tmp_path, {**clean, **settings})
    yield found
    found.end()


def blocks(ports: Mapping[str, str]) -> list[tuple[str, str, str]]:
    """The blocks of the page, with other ports: language, the file to save it as, and code."""
    page = PAGE.read_text()
    for port, free in ports.items():
        page = page.replace(port, free)
    return [(found["language"], found["file"] or "", found["code"]) for found in BLOCK.finditer(page)]


def test_the_tutorial_runs_as_it_is_written(terminals: Terminals, tmp_path: Path, ports: dict[str, str]) -> None:
    said = ""
    for language, file, code in blocks(ports):
        if language == "text":
            assert [line for line in code.splitlines() if line not in said] == []
            continue
        if language != "sh":
            (tmp_path / file).write_text(code)
            continue
        command = "\n".join(line for line in code.splitlines() if "activate" not in line and "pip" not in line)
        lasting = [ready for beginning, ready in LASTING.items() if command.startswith(beginning)]
        if not lasting:
            said = terminals.run(command)
            continue
        if command.startswith("ringway up"):
            terminals.end()
        terminals.start(command)
        terminals.wait_for_output(lasting[0])
    for words in HEARD:
        terminals.wait_for_output(words)

"""A real Eureka server (Spring Cloud Netflix), made of what Maven Central has; and what instances say to it."""

import asyncio
import json
import shutil
import signal
import subprocess
import time
import urllib.error
import urllib.request
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

from support.eureka_traffic import instance
from support.server_process import ServerProcess

HOME = Path(__file__).parent / "eureka"
FETCH_S = 400
START_S = 240
REQUEST_S = 10


class NoEureka(Exception):
    """A Eureka server cannot be had on this machine; the text says why."""


def prepare_eureka(classes: Path) -> list[str]:
    """Fetch the libraries if they are not there, compile into `classes`, and return the command; raise `NoEureka`."""
    for tool in ("java", "javac", "mvn"):
        if shutil.which(tool) is None:
            raise NoEureka(f"{tool} is not installed")
    library = HOME / "lib"
    if not list(library.glob("spring-cloud-netflix-eureka-server-*.jar")):
        fetch = ["mvn", "-q", "-B", "-f", str(HOME), "dependency:copy-dependencies", f"-DoutputDirectory={library}"]
        _run(fetch, "Maven cannot fetch the libraries of Eureka")
    _run(
        ["javac", "-cp", f"{library}/*", "-d", str(classes), str(HOME / "Registry.java")],
        "Registry.java is not compiled",
    )
    return [
        str(shutil.which("java")),
        "-Xmx192m",
        "-XX:TieredStopAtLevel=1",
        "-cp",
        f"{classes}:{library}/*",
        "registry.Registry",
    ]


def _run(command: list[str], problem: str) -> None:
    try:
        subprocess.run(command, check=True, capture_output=True, timeout=FETCH_S)
    except subprocess.CalledProcessError as error:
        raise NoEureka(f"{problem}: {(error.stdout + error.stderr).decode(errors='replace')[-500:]}") from None
    except subprocess.TimeoutExpired:
        raise NoEureka(f"{problem} within {FETCH_S} s") from None


class EurekaServer:
    """A running registry at `url`."""

    def __init__(self, url: str) -> None:
        self.url = url

    async def register(self, number: int, status: str = "UP", **changes: Any) -> None:
        """Register the instance `number` of CHAT, as its own client does."""
        body = json.dumps({"instance": instance(number, status, **changes)}).encode()
        assert await self._send("POST", "/apps/CHAT", body) == 204

    async def set_status(self, number: int, status: str) -> None:
        """Take an instance out of service, or back, as operators do."""
        assert await self._send("PUT", f"/apps/CHAT/127.0.0.1:chat:{number}/status?value={status}") == 200

    async def cancel(self, number: int) -> None:
        """Take an instance out of the registry, as its client does when it ends."""
        assert await self._send("DELETE", f"/apps/CHAT/127.0.0.1:chat:{number}") == 200

    async def _send(self, method: str, path: str, body: bytes | None = None) -> int:
        request = urllib.request.Request(self.url + path, body, {"Content-Type": "application/json"}, method=method)
        return await asyncio.to_thread(_status_of, request)


def _status_of(request: urllib.request.Request) -> int:
    with urllib.request.urlopen(request, timeout=REQUEST_S) as answer:
        return int(answer.status)


@asynccontextmanager
async def serve_eureka(command: list[str], folder: Path, port: int) -> AsyncIterator[EurekaServer]:
    """Run a registry until the block ends."""
    process = ServerProcess(folder / "eureka.log")
    process.launch([
        *command,
        f"--server.port={port}",
        "--eureka.client.register-with-eureka=false",
        "--eureka.client.fetch-registry=false",
        "--eureka.server.use-read-only-response-cache=false",
        "--eureka.server.enable-self-preservation=false",
        "--spring.main.banner-mode=off",
    ])  # fmt: skip
    url = f"http://127.0.0.1:{port}/eureka"
    try:
        deadline = time.monotonic() + START_S
        while not await asyncio.to_thread(_answers, url):
            assert process.running, process.last_words()
            assert time.monotonic() < deadline, process.last_words()
            await asyncio.sleep(0.2)
        yield EurekaServer(url)
    finally:
        process.end(signal.SIGTERM)


def _answers(url: str) -> bool:
    try:
        return _status_of(urllib.request.Request(f"{url}/apps")) == 200
    except (OSError, urllib.error.URLError):
        return False

"""A real browser: Debian's Chromium without a window, driven by its DevTools protocol."""

import asyncio
import base64
import contextlib
import itertools
import json
import shutil
import tempfile
import urllib.request
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

from websockets.asyncio.client import ClientConnection, connect

START_S = 60.0
ANSWER_S = 60.0

# No sandbox: tests run as root. Nothing that would look for the network: there is none.
_FLAGS = (
    *("--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-sync"),
    *("--disable-background-networking", "--disable-component-update", "--disable-default-apps", "--mute-audio"),
    *("--disable-dev-shm-usage", "--hide-scrollbars", "--remote-debugging-port=0"),
)


def has_chromium() -> bool:
    """True if the browser is installed."""
    return shutil.which("chromium") is not None


class Page:
    """One tab. `console` is what its scripts said, `errors` what they threw."""

    def __init__(self, socket: ClientConnection) -> None:
        self._socket = socket
        self._ids = itertools.count(1)
        self._answers: dict[int, asyncio.Future[dict[str, Any]]] = {}
        self.console: list[str] = []
        self.errors: list[str] = []

    async def call(self, method: str, **parameters: Any) -> dict[str, Any]:
        """Carry out one command of the protocol."""
        number = next(self._ids)
        answer = self._answers[number] = asyncio.get_running_loop().create_future()
        await self._socket.send(json.dumps({"id": number, "method": method, "params": parameters}))
        result = await asyncio.wait_for(answer, ANSWER_S)
        assert "error" not in result, f"{method}: {result}"
        found: dict[str, Any] = result["result"]
        return found

    async def evaluate(self, expression: str) -> Any:
        """The value of a JavaScript expression; a promise is awaited."""
        result = await self.call("Runtime.evaluate", expression=expression, awaitPromise=True, returnByValue=True)
        assert "exceptionDetails" not in result, f"{expression}: {result['exceptionDetails']}"
        return result["result"].get("value")

    async def until(self, expression: str, patience_s: float = 30.0) -> Any:
        """Wait until a JavaScript expression is true; return its value."""
        try:
            async with asyncio.timeout(patience_s):
                while not (value := await self.evaluate(expression)):
                    await asyncio.sleep(0.02)
                return value
        except TimeoutError:
            raise AssertionError(f"{expression} did not come true; {self.console} {self.errors}") from None

    async def show(self, width: int, height: int, *, dark: bool = False) -> None:
        """Look like a screen of this size, of a person who likes it so."""
        await self.call(
            "Emulation.setDeviceMetricsOverride", width=width, height=height, deviceScaleFactor=1, mobile=width < 600
        )
        features = [{"name": "prefers-color-scheme", "value": "dark" if dark else "light"}]
        await self.call("Emulation.setEmulatedMedia", features=features)

    async def picture(self, path: Path) -> None:
        """Write what is to be seen as PNG."""
        path.write_bytes(base64.b64decode((await self.call("Page.captureScreenshot"))["data"]))

    async def listen(self) -> None:
        """Take what the browser says, until it ends."""
        async for raw in self._socket:
            message = json.loads(raw)
            if "id" in message:
                self._answers.pop(message["id"]).set_result(message)
            elif message["method"] == "Runtime.consoleAPICalled":
                self.console.append(" ".join(str(each.get("value")) for each in message["params"]["args"]))
            elif message["method"] == "Runtime.exceptionThrown":
                details = message["params"]["exceptionDetails"]
                self.errors.append(details.get("exception", {}).get("description") or details["text"])


class Chromium:
    """A running browser."""

    def __init__(self, port: int, stack: contextlib.AsyncExitStack) -> None:
        self._port = port
        self._stack = stack

    async def open(self, url: str) -> Page:
        """A new tab that shows `url`."""
        request = urllib.request.Request(f"http://127.0.0.1:{self._port}/json/new?about:blank", method="PUT")
        answer = await asyncio.to_thread(lambda: urllib.request.urlopen(request, timeout=ANSWER_S).read())
        address = json.loads(answer)["webSocketDebuggerUrl"]
        socket = await self._stack.enter_async_context(connect(address, max_size=None, ping_interval=None))
        page = Page(socket)
        listening = asyncio.create_task(page.listen())
        self._stack.push_async_callback(lambda: asyncio.gather(listening, return_exceptions=True))
        self._stack.callback(listening.cancel)
        await page.call("Runtime.enable")
        await page.call("Page.enable")
        await page.call("Page.navigate", url=url)
        await page.until("location.href != 'about:blank' && document.readyState == 'complete'")
        return page


@contextlib.asynccontextmanager
async def running_chromium() -> AsyncIterator[Chromium]:
    """A browser with an empty profile; gone, with all its processes, at the end of the block."""
    with tempfile.TemporaryDirectory(prefix="ringway-chromium-", ignore_cleanup_errors=True) as profile:
        process = await asyncio.create_subprocess_exec(
            *("chromium", *_FLAGS, f"--user-data-dir={profile}", "about:blank"),
            stdout=asyncio.subprocess.DEVNULL,
            stderr=asyncio.subprocess.DEVNULL,
        )
        try:
            async with contextlib.AsyncExitStack() as stack:
                yield Chromium(await _port(Path(profile) / "DevToolsActivePort"), stack)
        finally:
            if process.returncode is None:
                process.terminate()
                await process.wait()


async def _port(file: Path) -> int:
    async with asyncio.timeout(START_S):
        while not file.exists() or "\n" not in file.read_text():
            await asyncio.sleep(0.05)
    return int(file.read_text().split("\n")[0])

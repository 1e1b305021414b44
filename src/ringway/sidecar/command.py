"""The command beside the sidecar: a child process that ends with it."""

import asyncio
import os
import shutil
import signal
from collections.abc import Sequence
from contextlib import suppress

from ringway.engine.subprocess import tie_to_parent
from ringway.errors import ConfigError

PORT = "{port}"


class ServerCommand:
    """One command, started at most once at a time. Its output is that of the sidecar."""

    def __init__(self, words: Sequence[str], port: int) -> None:
        self._words = [word.replace(PORT, str(port)) for word in words]
        self._process: asyncio.subprocess.Process | None = None

    async def start(self) -> None:
        """Start the process, in a session of its own: Ctrl-C at the terminal reaches the sidecar alone."""
        program = find_program(self._words)
        command = tie_to_parent([program, *self._words[1:]], signal.SIGTERM)
        self._process = await asyncio.create_subprocess_exec(
            *command, stdin=asyncio.subprocess.DEVNULL, start_new_session=True
        )

    async def wait(self) -> int:
        """Return the exit code when the process has ended; 128 and the number of a signal that ended it.

        0 if it was never started.
        """
        code = await self._process.wait() if self._process is not None else 0
        return code if code >= 0 else 128 - code

    def send_signal(self, number: signal.Signals) -> None:
        """Send a signal to the process, if it runs."""
        if self._process is not None and self._process.returncode is None:
            with suppress(ProcessLookupError):
                self._process.send_signal(number)

    async def stop(self, number: signal.Signals, within_s: float) -> int:
        """End the process by `number`, and return its exit code; after `within_s` kill it and all that it started."""
        self.send_signal(number)
        try:
            async with asyncio.timeout(within_s):
                return await self.wait()
        except TimeoutError:
            if self._process is not None:
                with suppress(ProcessLookupError):
                    os.killpg(self._process.pid, signal.SIGKILL)
            return await self.wait()


def find_program(words: Sequence[str]) -> str:
    """Return the path of the program in a command; raise `ConfigError` if there is none."""
    found = shutil.which(words[0]) if words and words[0] else None
    if found is None:
        raise ConfigError(f"there is no command {words[0] if words else ''!r}; give its path, or correct it")
    return found

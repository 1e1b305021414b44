"""The children of `ringway up`: each a separate process, restarted when it dies, stopped in order.

Their output goes to files in the state directory. The kernel ends them when this process ends, for any reason
(`engine.subprocess`), so nothing is left behind after a `kill -9`.
"""

import asyncio
import random
import signal
import subprocess
import sys
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path

from ringway.core.backoff import next_delay_s
from ringway.engine.subprocess import spawn
from ringway.errors import ConfigError, RingwayError
from ringway.logger import get_logger

POLL_S = 0.1
QUICKLY = signal.SIGINT
"""The signal that stops children, also sent by the kernel when this process ends. All children stop
together: after SIGTERM, a node would lead its clients to other nodes, which are about to end as well."""

STABLE_S = 10.0
"""A child that ran this long is restarted with short pauses again."""

RESTART_CAP_S = 10.0
CONFIG_EXIT_CODE = 2

_log = get_logger()


@dataclass(slots=True)
class Child:
    """One child process, over all its restarts."""

    name: str
    arguments: Sequence[str]
    environ: Mapping[str, str]
    log: Path
    make_way: Callable[[], bool] = lambda: False  # gives it a new port if its port was taken; returns true if so
    process: "subprocess.Popen[bytes] | None" = None
    logged: int = 0  # size of the log when this process began
    started_at: float = 0.0
    start_at: float | None = None  # time of the next restart
    failures: int = field(default=0)

    def start(self, now: float) -> None:
        """Start the process."""
        self.logged = self.log.stat().st_size if self.log.exists() else 0
        command = [sys.executable, "-m", "ringway", *self.arguments]
        self.process = spawn(command, self.log, environ=self.environ, ends_by=QUICKLY)
        self.started_at = now
        self.start_at = None

    def ended(self) -> int | None:
        """The exit code if the process has ended; negative for a signal. None while it runs."""
        return self.process.poll() if self.process is not None else None

    def last_words(self) -> str:
        """The last line that this process wrote to its log, without the program's name before it."""
        with suppress(OSError), self.log.open("rb") as log:
            log.seek(self.logged)
            lines = [line.strip() for line in log.read()[-8192:].decode(errors="replace").splitlines()]
            return next((line for line in reversed(lines) if line), "").removeprefix("ringway: ")
        return ""


class Supervisor:
    """Keeps children running. `tell` gets a line for each notable event, for the person at the terminal."""

    def __init__(self, tell: Callable[[str], None]) -> None:
        self._tell = tell
        self._children: list[Child] = []
        self._rng = random.Random()

    def start(self, child: Child) -> None:
        """Start `child`, and restart it from now on when it ends."""
        child.start(asyncio.get_running_loop().time())
        self._children.append(child)

    def hang_up(self) -> None:
        """Pass SIGHUP on to the children: they read files again. A child that starts has just read them."""
        _log.info("SIGHUP is passed on to the gateway and the nodes")
        now = asyncio.get_running_loop().time()
        for child in self._children:
            if child.process is not None and child.ended() is None and now - child.started_at >= STABLE_S:
                child.process.send_signal(signal.SIGHUP)

    def check_started(self) -> None:
        """Raise if a child has ended before everything was ready: `ConfigError` if its exit code says so."""
        for child in self._children:
            code = child.ended()
            if code is None:
                continue
            if code == CONFIG_EXIT_CODE and child.make_way():
                self._tell(f"{child.name} takes another port, because its own was taken meanwhile")
                child.start(asyncio.get_running_loop().time())
                continue
            if code == CONFIG_EXIT_CODE:
                raise ConfigError(child.last_words())
            raise RingwayError(f"{child.name} ended at its start ({_ending(code)}); its log is {child.log}")

    async def run(self) -> None:
        """Restart children that end, until cancelled. The pause grows if a child ends again and again."""
        while True:
            now = asyncio.get_running_loop().time()
            for child in self._children:
                self._look_after(child, now)
            await asyncio.sleep(POLL_S)

    def _look_after(self, child: Child, now: float) -> None:
        if child.start_at is not None:
            if now >= child.start_at:
                if child.make_way():
                    self._tell(f"{child.name} takes another port, because its own was taken meanwhile")
                child.start(now)
            return
        code = child.ended()
        if code is None:
            return
        child.failures = 0 if now - child.started_at >= STABLE_S else child.failures + 1
        pause = next_delay_s(child.failures, self._rng, cap_s=RESTART_CAP_S)
        child.start_at = now + pause
        self._tell(f"{child.name} ended ({_ending(code)}); starting it again in {pause:.1f} s. Its log: {child.log}")

    async def stop(self, names: Callable[[str], bool], deadline_s: float) -> None:
        """Stop the children whose names `names` accepts, all at once: in order, or by force after `deadline_s`."""
        chosen = [child for child in self._children if names(child.name)]
        self._children = [child for child in self._children if child not in chosen]
        for last_word in (QUICKLY, signal.SIGKILL):
            for child in chosen:
                if child.process is not None and child.ended() is None:
                    child.process.send_signal(last_word)
            if await _ended(chosen, deadline_s):
                return


async def _ended(children: Sequence[Child], deadline_s: float) -> bool:
    """Return true if all of `children` ended before `deadline_s`."""
    deadline = asyncio.get_running_loop().time() + deadline_s
    while any(child.process is not None and child.ended() is None for child in children):
        if asyncio.get_running_loop().time() >= deadline:
            return False
        await asyncio.sleep(POLL_S / 4)
    return True


def _ending(code: int) -> str:
    if code >= 0:
        return f"exit code {code}"
    with suppress(ValueError):
        return f"killed by {signal.Signals(-code).name}"
    return f"killed by signal {-code}"

"""One server beside the sidecar: its command, if the sidecar starts it, and its registration."""

import asyncio
import signal
from random import Random
from typing import Any

from ringway.core.backoff import next_delay_s
from ringway.logger import get_logger
from ringway.sidecar.command import ServerCommand
from ringway.sidecar.config import JoinConfig
from ringway.sidecar.lease import ServerLease
from ringway.tasks import Tasks, leave_to_waiter

STABLE_S = 10.0
"""A worker that ran this long is restarted with short pauses again."""

RESTART_CAP_S = 10.0

_log = get_logger()


class Worker:
    """A server that is registered while it runs."""

    def __init__(self, lease: ServerLease, command: ServerCommand | None, config: JoinConfig, rng: Random) -> None:
        self._lease = lease
        self._command = command
        self._config = config
        self._rng = rng
        self._registering = Tasks()

    async def refuse_held_name(self) -> None:
        """Raise `ConfigError` if something else renews a registration of the server. Call it before `run`."""
        await self._lease.refuse_held_name()

    async def run(self, *, restart: bool) -> int:
        """Run the command, and return its exit code when it has ended; with `restart` start it again and again.

        If this is cancelled, the command goes on until `stop`.
        """
        if self._command is None:
            await self._lease.run()
            return 0
        failures = 0
        while True:
            began = asyncio.get_running_loop().time()
            await self._command.start()
            self._lease.begin_life()
            self._registering.spawn(self._lease.run(), name=f"registration of {self._lease.name}")
            code = await self._command.wait()
            if not restart:
                self._tell_end(code)
            await self._registering.aclose()
            await self._lease.end(gone=True)
            if not restart:
                return code
            failures = 0 if asyncio.get_running_loop().time() - began >= STABLE_S else failures + 1
            pause_s = next_delay_s(failures, self._rng, cap_s=RESTART_CAP_S)
            what = "a worker ended; it is started again"
            _log.warning(what, backend=self._lease.name, exit_code=code, pause_s=round(pause_s, 1))
            await asyncio.sleep(pause_s)

    async def stop(self, *, gentle: bool) -> int:
        """End the server, and return the exit code of its command: 0 if our signal ended it.

        If `gentle`, the clients are led away first; otherwise the gateways lead them away as far as there is time.
        """
        await self._registering.aclose()
        if self._command is None:
            if gentle:
                await self._drain()
            await self._lease.end(gone=False)
            return 0
        number = signal.SIGTERM if gentle else signal.SIGINT
        if gentle:
            await self._drain()
        else:
            await self._lease.end(gone=False)
        code = await self._command.stop(number, self._config.stop_s)
        await self._lease.end(gone=True)
        return 0 if code == 128 + number else code

    def hang_up(self) -> None:
        """Pass SIGHUP on to the command."""
        if self._command is not None:
            self._command.send_signal(signal.SIGHUP)

    def _tell_end(self, code: int) -> None:
        """Log that the command has ended by itself, and whether its server ever answered."""
        if self._lease.was_registered:
            _log.info("the command has ended", backend=self._lease.name, exit_code=code)
        else:
            what = "the command has ended before its server was registered"
            remedy = "does the command serve at this URL, and is its port free? Its own output says why it ended"
            _log.warning(what, backend=self._lease.name, url=self._lease.url, exit_code=code, remedy=remedy)

    async def _drain(self) -> None:
        """Lead the clients away, unless the command ends meanwhile."""
        if not self._config.drain_within_s:
            return
        tasks = Tasks(leave_to_waiter)
        work: list[asyncio.Task[Any]] = [tasks.spawn(self._lease.drain(self._config.drain_within_s), name="drain")]
        if self._command is not None:
            work.append(tasks.spawn(self._command.wait(), name="end of the command"))
        try:
            await asyncio.wait(work, return_when=asyncio.FIRST_COMPLETED)
        finally:
            await tasks.aclose()

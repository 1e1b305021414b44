"""Active health checks of static backends: what takes a backend out, and brings it back.

They are timed as well: where no handshake of late has told how quickly a backend answers, its check does.
"""

import asyncio
import ssl
import time
from collections.abc import Callable
from typing import TYPE_CHECKING

import structlog

from ringway.gateway.backends import Backend
from ringway.gateway.config import GatewayConfig
from ringway.gateway.directory import Directory
from ringway.net import connector
from ringway.types import NodeState

if TYPE_CHECKING:
    from random import Random

_log = structlog.get_logger()

_STATUS_BYTES_MAX = 4096


class Health:
    """Counts the checks of one backend; says whether it is up. A backend is up until checks fail."""

    __slots__ = ("_fall", "_rise", "_run", "up")

    def __init__(self, fall: int, rise: int) -> None:
        self.up = True
        self._fall = fall
        self._rise = rise
        self._run = 0  # checks in a row that speak against `up`

    def checked(self, passed: bool) -> bool:
        """Take the result of one check; return whether `up` changed."""
        if passed == self.up:
            self._run = 0
            return False
        self._run += 1
        if self._run < (self._rise if passed else self._fall):
            return False
        self.up = passed
        self._run = 0
        return True


class Checks:
    """Checks all backends, each by itself, and keeps `directory` informed. Existing relays live on by themselves."""

    def __init__(
        self,
        config: GatewayConfig,
        directory: Directory,
        backends: tuple[Backend, ...],
        rng: "Random",
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._config = config
        self._directory = directory
        self._backends = backends
        self._rng = rng
        self._clock = clock
        self._task: asyncio.Task[None] | None = None
        self._tls = ssl.create_default_context() if any(backend.address.tls for backend in backends) else None

    @property
    def tasks(self) -> tuple[asyncio.Task[None], ...]:
        """What must not end while this runs; the owner of the process watches over it."""
        return (self._task,) if self._task is not None else ()

    async def start(self) -> None:
        """Make the backends known, and check them from now on."""
        for backend in self._backends:
            self._tell(backend, 1, up=True)
        self._task = asyncio.create_task(self._run(), name="health checks")

    async def stop(self) -> None:
        """Check no more. Idempotent."""
        task, self._task = self._task, None
        if task is not None:
            task.cancel()
            await asyncio.gather(task, return_exceptions=True)

    async def _run(self) -> None:
        async with asyncio.TaskGroup() as group:
            group.create_task(self._tick())
            for backend in self._backends:
                group.create_task(self._watch(backend))

    async def _tick(self) -> None:
        while True:
            await asyncio.sleep(0.25)
            self._directory.tick()

    async def _watch(self, backend: Backend) -> None:
        config = self._config
        health = Health(config.health_fall, config.health_rise)
        seq = 1
        while True:
            begun = self._clock()
            problem = await self._check(backend)
            self._measure(backend, begun, failed=bool(problem))
            if health.checked(not problem):
                seq += 1
                self._tell(backend, seq, up=health.up)
                _log.warning("backend is " + ("up" if health.up else "down"), backend=backend.name, problem=problem)
            await asyncio.sleep(config.health_interval_s * self._rng.uniform(0.8, 1.2))

    def _measure(self, backend: Backend, begun: float, *, failed: bool) -> None:
        node = self._directory.view.nodes.get(backend.name)
        now = self._clock()
        if node is not None and node.response.age_s(now) >= self._config.health_interval_s:
            if failed:
                node.response.failed(now)
            else:
                node.response.observe(now - begun, now)

    def _tell(self, backend: Backend, seq: int, *, up: bool) -> None:
        node = self._directory.view.nodes.get(backend.name)
        connections = node.connections if node is not None else 0
        state = NodeState.ACTIVE if up else NodeState.DRAINING
        self._directory.adopt(backend.report(seq, state, connections))

    async def _check(self, backend: Backend) -> str:
        """Check `backend` once; return what is wrong, or nothing."""
        try:
            return await self._probe(backend)
        except TimeoutError:
            return f"no answer within {self._config.health_timeout_s:g} s"
        except (OSError, ssl.SSLError, ValueError) as error:
            return str(error) or type(error).__name__

    async def _probe(self, backend: Backend) -> str:
        address = backend.address
        tls = self._tls if address.tls else None
        reader, writer = await connector().streams(
            address.host, address.port, self._config.health_timeout_s, ssl=tls, limit=_STATUS_BYTES_MAX
        )
        try:
            if not backend.check:
                return ""
            writer.write(
                f"GET {backend.check} HTTP/1.1\r\nHost: {address.authority}\r\nConnection: close\r\n"
                "User-Agent: ringway\r\n\r\n".encode()
            )
            async with asyncio.timeout(self._config.health_timeout_s):
                return _judge(await reader.readline())
        finally:
            writer.transport.abort()


def _judge(status_line: bytes) -> str:
    """Return what is wrong with the answer to an HTTP check; any 2xx is right."""
    parts = status_line.split(None, 2)
    if len(parts) < 2 or not parts[0].startswith(b"HTTP/1.") or not parts[1].isdigit():
        return "the answer to the check is not HTTP"
    return "" if parts[1].startswith(b"2") and len(parts[1]) == 3 else f"the check answered {parts[1].decode()}"

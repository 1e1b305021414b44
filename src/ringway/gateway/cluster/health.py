"""Health checks of static backends, which take a backend out and bring it back.

They are timed as well: if no recent handshake has told how quickly a backend answers, its check does.
"""

import asyncio
import socket
import ssl
import time
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING

from ringway.gateway.cluster.backends import Backend
from ringway.gateway.cluster.directory import Directory
from ringway.gateway.config.gateway import GatewayConfig
from ringway.logger import get_logger
from ringway.net import connector
from ringway.net.http_get import AnswerNotHttp, open_get, read_status
from ringway.tasks import Tasks, leave_to_waiter
from ringway.types import NodeName, NodeState

if TYPE_CHECKING:
    from random import Random

_log = get_logger()

_STATUS_BYTES_MAX = 4096


class BackendHealth:
    """Counts the checks of one backend. A backend is `up` until checks fail."""

    __slots__ = ("_fall", "_rise", "_run", "up")

    def __init__(self, fall: int, rise: int) -> None:
        self.up = True
        self._fall = fall
        self._rise = rise
        self._run = 0  # checks in a row that speak against `up`

    def count_check(self, passed: bool) -> bool:
        """Count the result of one check; return whether `up` changed."""
        if passed == self.up:
            self._run = 0
            return False
        self._run += 1
        if self._run < (self._rise if passed else self._fall):
            return False
        self.up = passed
        self._run = 0
        return True


def is_panic(weights_up: float, weights: float, threshold: float) -> bool:
    """Return whether too few pass for checks to be believed: less than `threshold` per cent of all `weights`.

    This is Envoy's panic threshold: if nearly all checks fail, the checks or the network between are wrong more often
    than all backends at once.
    """
    return 100.0 * weights_up < threshold * weights


class HealthChecks:
    """Checks all backends, each by itself, and reports them to `directory`. Existing relays live on by themselves."""

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
        self._tasks = Tasks(leave_to_waiter)
        self._failing: dict[NodeName, str] = {}  # what is wrong with those that are down
        self._reported: dict[NodeName, tuple[int, NodeState]] = {}  # the last report of each
        self._panic = False
        self._tls = ssl.create_default_context() if any(backend.address.tls for backend in backends) else None

    @property
    def tasks(self) -> tuple[asyncio.Task[None], ...]:
        """Tasks that must not end while this runs; the owner of the process awaits them."""
        return tuple(self._tasks)

    @property
    def failing(self) -> Mapping[NodeName, str]:
        """The backends that are down, and what is wrong with each."""
        return self._failing

    async def start(self) -> None:
        """Make the backends known, and check them from now on."""
        self._report_all()
        self._tasks.spawn(self._run(), name="health checks")

    async def stop(self) -> None:
        """Check no more. Idempotent."""
        await self._tasks.aclose()

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
        health = BackendHealth(config.health_fall, config.health_rise)
        while True:
            begun = self._clock()
            problem, detail = await self._check(backend)
            self._measure(backend, begun, failed=bool(problem))
            if health.count_check(not problem):
                _log.warning(
                    "backend is " + ("up" if health.up else "down"), backend=backend.name, problem=problem,
                    detail=detail, checked_as=backend.checked_as,
                )  # fmt: skip
                self._failing.pop(backend.name, None)
                if not health.up:
                    self._failing[backend.name] = problem
                self._report_all()
            elif problem and not health.up:
                self._failing[backend.name] = self._directory.view.nodes[backend.name].problem = problem
            await asyncio.sleep(config.health_interval_s * self._rng.uniform(0.8, 1.2))

    def _measure(self, backend: Backend, begun: float, *, failed: bool) -> None:
        node = self._directory.view.nodes.get(backend.name)
        now = self._clock()
        if node is not None and node.response.age_s(now) >= self._config.health_interval_s:
            if failed:
                node.response.failed(now)
            else:
                node.response.observe(now - begun, now)

    def _report_all(self) -> None:
        """Report each backend whose state has changed: it is up, down, or used although its check fails."""
        weights = sum(backend.weight for backend in self._backends)
        up = sum(backend.weight for backend in self._backends if backend.name not in self._failing)
        panic = is_panic(up, weights, self._config.health_panic_threshold)
        if panic != self._panic:
            self._panic = panic
            _log.error("nearly no backend passes its check, so all are used" if panic else "checks count again")
        elif not up and not panic:
            _log.error(
                "no backend passes its check, so nobody is let in; correct the check (check=, check-host=), or have "
                "all used then (health_panic_threshold)"
            )
        view = self._directory.view
        for backend in self._backends:
            name = backend.name
            state = NodeState.DOWN if name in self._failing and not panic else NodeState.ACTIVE
            seq, before = self._reported.get(name, (0, None))
            if state is not before:
                self._reported[name] = seq + 1, state
                connections = view.nodes[name].connections if name in view.nodes else 0
                self._directory.adopt(backend.report(seq + 1, state, connections))
            view.nodes[name].problem = self._failing.get(name, "")

    async def _check(self, backend: Backend) -> tuple[str, str]:
        """Check `backend` once; return the problem in words that anybody may read, and details. Empty: it passed."""
        try:
            return await self._probe(backend), ""
        except TimeoutError:
            return f"no answer within {self._config.health_timeout_s:g} s", ""
        except socket.gaierror as error:
            return "its name cannot be looked up", str(error)
        except ssl.SSLError as error:
            return "it cannot be reached by TLS", str(error)
        except (OSError, ValueError) as error:
            return "it does not accept connections", str(error) or type(error).__name__

    async def _probe(self, backend: Backend) -> str:
        address = backend.address
        tls = self._tls if address.tls else None
        within_s = self._config.health_timeout_s
        if not backend.check:
            _, writer = await connector().streams(address.host, address.port, within_s, ssl=tls)
            writer.transport.abort()
            return ""
        deadline = asyncio.get_running_loop().time() + within_s
        async with open_get(
            address.host,
            address.port,
            backend.check,
            backend.checked_as,
            headers=(("User-Agent", "ringway"),),
            ssl=tls,
            timeout_s=within_s,
            limit=_STATUS_BYTES_MAX,
        ) as reader:
            try:
                async with asyncio.timeout_at(deadline):
                    status = await read_status(reader)
            except AnswerNotHttp:
                return "the answer to the check is not HTTP"
        return "" if 200 <= status < 300 else f"the check answered {status}"

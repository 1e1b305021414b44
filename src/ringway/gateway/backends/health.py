"""Health checks of backends: a backend whose check fails gets no newcomers.

Checks are timed as well: without a recent handshake, the check's time is the response time of a backend.
"""

import asyncio
import socket
import ssl
import time
from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING

import msgspec

from ringway.core.group import Groups
from ringway.core.route import GroupRoute
from ringway.core.route_spec import setting_of_group
from ringway.gateway.config.gateway import GatewayConfig
from ringway.logger import get_logger
from ringway.net import connector
from ringway.net.http_get import AnswerNotHttp, open_get, read_status
from ringway.protocol.backend import Backend
from ringway.protocol.group import DEFAULT
from ringway.tasks import Tasks
from ringway.types import NodeName

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
        self._run = 0  # checks in a row that contradict `up`

    def count_check(self, passed: bool) -> bool:
        """Count the result of one check; return True if `up` changed."""
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
    """Return True if so few checks pass that they are ignored: less than `threshold` per cent of all `weights`.

    This is Envoy's panic threshold: if nearly all checks fail, faulty checks or a faulty network are more likely than
    faults of all backends at once.
    """
    return 100.0 * weights_up < threshold * weights


class HealthChecks:
    """Checks backends independently. Backends that fail are in doubt in `groups`; their relays are not affected.

    `on_down` is called with the name of a backend that has just failed. `clock` is monotonic. `routes` may give a group
    a check, for its backends without a check of their own.
    """

    def __init__(
        self,
        config: GatewayConfig,
        groups: Groups,
        on_down: Callable[[NodeName], None],
        rng: "Random",
        clock: Callable[[], float] = time.monotonic,
        *,
        routes: Sequence[GroupRoute] = (),
    ) -> None:
        self._routes = routes
        self._config = config
        self._groups = groups
        self._on_down = on_down
        self._rng = rng
        self._clock = clock
        self._tasks = Tasks()
        self._watched: dict[NodeName, tuple[Backend, asyncio.Task[None]]] = {}
        self._up: set[NodeName] = set()
        self._failing: dict[NodeName, str] = {}  # the problems of backends that are down
        self._panic: set[str] = set()  # groups in which nearly all backends fail, so that all are used
        self._nobody: set[str] = set()  # groups in which no backend passes, if that counts
        self._tls: ssl.SSLContext | None = None

    @property
    def failing(self) -> Mapping[NodeName, str]:
        """The backends that are down, with their problems."""
        return self._failing

    def watch(self, backend: Backend) -> None:
        """Check `backend` from now on. Until its first check has passed, it gets no newcomers."""
        self.forget(backend.name)
        task = self._tasks.spawn(self._run(self._with_check(backend)), name=f"health checks of {backend.name}")
        self._watched[backend.name] = backend, task

    def checked(self, name: NodeName) -> Backend | None:
        """Return the backend `name` as it is checked; None if it is not checked."""
        watched = self._watched.get(name)
        return watched[0] if watched is not None else None

    def forget(self, name: NodeName) -> None:
        """Stop checking the backend `name`."""
        watched = self._watched.pop(name, None)
        if watched is not None:
            watched[1].cancel()
            self._up.discard(name)
            self._failing.pop(name, None)

    def _with_check(self, backend: Backend) -> Backend:
        """Return `backend` with the check that routes give its group, if it has no check of its own."""
        group = backend.group or DEFAULT
        check = backend.check or setting_of_group(self._routes, group, "check")
        host = backend.check_host or (setting_of_group(self._routes, group, "check_host") if check else "")
        if (check, host) == (backend.check, backend.check_host):
            return backend
        return msgspec.structs.replace(backend, check=check, check_host=host)

    async def stop(self) -> None:
        """Stop the checks. Idempotent."""
        await self._tasks.aclose()

    async def _run(self, backend: Backend) -> None:
        config = self._config
        health: BackendHealth | None = None
        while True:
            begun = self._clock()
            problem, detail = await self._check(backend)
            self._measure(backend, begun, failed=bool(problem))
            first = health is None
            if health is None:  # the first check decides alone
                health = BackendHealth(config.health_fall, config.health_rise)
                health.up = not problem
            if first or health.count_check(not problem):
                self._note(backend, problem, detail, up=health.up, first=first)
            elif problem and not health.up and problem != self._failing.get(backend.name):
                self._failing[backend.name] = problem
                self._apply()
            await asyncio.sleep(config.health_interval_s * self._rng.uniform(0.8, 1.2))

    def _note(self, backend: Backend, problem: str, detail: str, *, up: bool, first: bool) -> None:
        """Record that a backend is up or down from now on."""
        if not (first and up):
            _log.warning(
                "backend is " + ("up" if up else "down"), backend=backend.name, problem=problem, detail=detail,
                checked_as=backend.checked_as,
            )  # fmt: skip
        if up:
            self._failing.pop(backend.name, None)
            self._up.add(backend.name)
        else:
            self._failing[backend.name] = problem
            self._up.discard(backend.name)
        self._apply()
        if not up and (backend.group or DEFAULT) not in self._panic:
            self._on_down(backend.name)

    def _measure(self, backend: Backend, begun: float, *, failed: bool) -> None:
        node = self._groups.nodes.get(backend.name)
        now = self._clock()
        if node is not None and node.response.age_s(now) >= self._config.health_interval_s:
            if failed:
                node.response.failed(now)
            else:
                node.response.observe(now - begun, now)

    def _apply(self) -> None:
        """Put each backend that fails in doubt, unless nearly all of its group fail; believe the backends that pass."""
        groups: dict[str, list[Backend]] = {}
        for backend, _ in self._watched.values():
            groups.setdefault(backend.group or DEFAULT, []).append(backend)
        for group, backends in groups.items():
            self._judge_group(group, backends)
        nodes = self._groups.nodes
        good = set(self._up)
        for name, problem in self._failing.items():
            node, doubt = nodes.get(name), f"fails its check: {problem}"
            panic = (self._watched[name][0].group or DEFAULT) in self._panic
            if panic:
                good.add(name)
            if node is not None:
                node.problem = problem
                if not panic and node.doubt != doubt:
                    self._groups.doubt(name, doubt)
        for name in self._up & nodes.keys():
            nodes[name].problem = ""
        doubted = [name for name in good if name in nodes and nodes[name].doubt]
        if doubted:  # other backends may be ejected for failed handshakes, which a check does not end
            self._groups.believe(doubted)

    def _judge_group(self, group: str, backends: Sequence[Backend]) -> None:
        """Record, and log once, if no backend of a group passes, or nearly none of its `backends`."""
        weights = sum(backend.weight for backend in backends)
        up = sum(backend.weight for backend in backends if backend.name in self._up)
        known = all(backend.name in self._up or backend.name in self._failing for backend in backends)
        panic = known and is_panic(up, weights, self._config.health_panic_threshold)
        if panic != (group in self._panic):
            (self._panic.add if panic else self._panic.discard)(group)
            _log.error(
                "nearly no backend passes its check, so all are used" if panic else "checks count again", group=group
            )
        nobody = known and not up and not panic
        if nobody and group not in self._nobody:
            _log.error(
                "no backend passes its check, so nobody is let in; correct the check (check=, check-host=), or have "
                "all used then (health_panic_threshold)",
                group=group,
            )
        (self._nobody.add if nobody else self._nobody.discard)(group)

    async def _check(self, backend: Backend) -> tuple[str, str]:
        """Check `backend` once; return the problem in public words, and the details. Empty: it passed."""
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
        tls = self._tls_context() if address.tls else None
        within_s = self._config.health_timeout_s
        if not backend.check:
            _, writer = await connector().streams(
                address.host, address.port, within_s, ssl=tls, tls_name=address.tls_name
            )
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
            tls_name=address.tls_name,
            timeout_s=within_s,
            limit=_STATUS_BYTES_MAX,
        ) as reader:
            try:
                async with asyncio.timeout_at(deadline):
                    status = await read_status(reader)
            except AnswerNotHttp:
                return "the answer to the check is not HTTP"
        return "" if 200 <= status < 300 else f"the check answered {status}"

    def _tls_context(self) -> ssl.SSLContext:
        if self._tls is None:
            self._tls = ssl.create_default_context()
        return self._tls

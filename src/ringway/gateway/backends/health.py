"""Health checks of backends: a backend whose check fails gets no newcomers.

Checks are timed as well: without a recent handshake, the check's time is the response time of a backend.

Results are applied together, at most every `BATCH_S` and `RESULTS_A_TURN` in one turn of the event loop: each change of
the eligible nodes costs time for each of them, and thousands of checks may end together.
"""

import asyncio
import math
import time
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from itertools import islice
from typing import TYPE_CHECKING

import msgspec

from ringway.core.group import Groups
from ringway.core.route import GroupRoute
from ringway.core.route_spec import setting_of_group
from ringway.gateway.backends.backend_probe import BackendProbe
from ringway.gateway.config.gateway import GatewayConfig
from ringway.gateway.proxy.upstream_tls import UpstreamTls
from ringway.logger import get_logger
from ringway.protocol.backend import Backend
from ringway.protocol.group import DEFAULT
from ringway.tasks import Tasks
from ringway.types import NodeName

if TYPE_CHECKING:
    from random import Random

_log = get_logger()

BATCH_S = 0.05

RESULTS_A_TURN = 32
"""The most backends that are let in or put in doubt in one turn of the event loop."""


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
        self._members: dict[str, dict[NodeName, Backend]] = {}  # of each group, the backends that are watched
        self._results: dict[NodeName, str] = {}  # the groups of backends whose results are not applied yet
        self._applied_at = -math.inf
        self._next: asyncio.Handle | None = None
        self._up: set[NodeName] = set()
        self._failing: dict[NodeName, str] = {}  # the problems of backends that are down
        self._down: set[NodeName] = set()  # backends that went down since their results were applied last
        self._panic: set[str] = set()  # groups in which nearly all backends fail, so that all are used
        self._nobody: set[str] = set()  # groups in which no backend passes, if that counts
        self._probe = BackendProbe(config.health_timeout_s, UpstreamTls(config))

    @property
    def failing(self) -> Mapping[NodeName, str]:
        """The backends that are down, with their problems."""
        return self._failing

    def watch(self, backend: Backend) -> None:
        """Check `backend` from now on. Until its first check has passed, it gets no newcomers."""
        self.forget(backend.name)
        task = self._tasks.spawn(self._run(self._with_check(backend)), name=f"health checks of {backend.name}")
        self._watched[backend.name] = backend, task
        self._members.setdefault(backend.group or DEFAULT, {})[backend.name] = backend

    def checked(self, name: NodeName) -> Backend | None:
        """Return the backend `name` as it is checked; None if it is not checked."""
        watched = self._watched.get(name)
        return watched[0] if watched is not None else None

    def forget(self, name: NodeName) -> None:
        """Stop checking the backend `name`."""
        watched = self._watched.pop(name, None)
        if watched is not None:
            backend, task = watched
            task.cancel()
            self._up.discard(name)
            self._failing.pop(name, None)
            group = backend.group or DEFAULT
            del self._members[group][name]
            if self._members[group]:
                self._apply_soon(backend)
            else:
                self._forget_group(group)

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
        self._results.clear()
        if self._next is not None:
            self._next.cancel()
            self._next = None
        await self._tasks.aclose()

    async def _run(self, backend: Backend) -> None:
        config = self._config
        health: BackendHealth | None = None
        while True:
            begun = self._clock()
            problem, detail = await self._probe.check(backend)
            self._measure(backend, begun, failed=bool(problem))
            first = health is None
            if health is None:  # the first check decides alone
                health = BackendHealth(config.health_fall, config.health_rise)
                health.up = not problem
            if first or health.count_check(not problem):
                self._note(backend, problem, detail, up=health.up, first=first)
            elif problem and not health.up and problem != self._failing.get(backend.name):
                self._failing[backend.name] = problem
                self._apply_soon(backend)
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
            self._down.add(backend.name)
        self._apply_soon(backend)

    def _measure(self, backend: Backend, begun: float, *, failed: bool) -> None:
        node = self._groups.nodes.get(backend.name)
        now = self._clock()
        if node is not None and node.response.age_s(now) >= self._config.health_interval_s:
            if failed:
                node.response.failed(now)
            else:
                node.response.observe(now - begun, now)

    def _apply_soon(self, backend: Backend) -> None:
        """Apply the result of a backend in the next turn of the loop, or with all others of the next `BATCH_S`."""
        self._results[backend.name] = backend.group or DEFAULT
        if self._next is None:
            loop = asyncio.get_running_loop()
            self._next = loop.call_at(max(loop.time(), self._applied_at + BATCH_S), self._apply)

    def _apply(self) -> None:
        """Put each backend that fails in doubt, unless nearly all of its group fail; believe the backends that pass."""
        loop = asyncio.get_running_loop()
        self._applied_at = loop.time()
        names = list(islice(self._results, RESULTS_A_TURN))
        groups = {self._results.pop(name) for name in names}
        for group in groups & self._members.keys():
            members = self._members[group]
            if self._judge_group(group, members.values()):
                self._results.update((name, group) for name in members if name in self._failing)
        self._next = loop.call_soon(self._apply) if self._results else None
        self._apply_to(names)
        for name in names:
            if name in self._down:
                self._down.discard(name)
                if name in self._failing and self._group_of(name) not in self._panic:
                    self._on_down(name)

    def _apply_to(self, names: Iterable[NodeName]) -> None:
        """Doubt or believe the nodes of these backends."""
        nodes, good = self._groups.nodes, []
        for name in names:
            node = nodes.get(name)
            if node is None or not (name in self._up or name in self._failing):
                continue
            node.problem = problem = self._failing.get(name, "")
            if not problem or self._group_of(name) in self._panic:
                if node.doubt:  # other backends may be ejected for failed handshakes, which a check does not end
                    good.append(name)
            elif node.doubt != (doubt := f"fails its check: {problem}"):
                self._groups.doubt(name, doubt)
        if good:
            self._groups.believe(good)

    def _group_of(self, name: NodeName) -> str:
        return self._watched[name][0].group or DEFAULT

    def _forget_group(self, group: str) -> None:
        del self._members[group]
        self._panic.discard(group)
        self._nobody.discard(group)

    def _judge_group(self, group: str, backends: Collection[Backend]) -> bool:
        """Record, and log once, if no backend of a group passes, or nearly none of its `backends`.

        Return True if the checks begin to count, or count no more.
        """
        weights = sum(backend.weight for backend in backends)
        up = sum(backend.weight for backend in backends if backend.name in self._up)
        known = all(backend.name in self._up or backend.name in self._failing for backend in backends)
        panic = known and is_panic(up, weights, self._config.health_panic_threshold)
        changed = panic != (group in self._panic)
        if changed:
            (self._panic.add if panic else self._panic.discard)(group)
            _log.error(
                "nearly no backend passes its check, so all are used" if panic else "checks count again", group=group
            )
        passes = any(backend.name in self._up for backend in backends)
        nobody = known and not passes and not panic
        if nobody and group not in self._nobody:
            _log.error(
                "no backend passes its check, so nobody is let in; correct the check (check=, check-host=), or have "
                "all used then (health_panic_threshold)",
                group=group,
            )
        (self._nobody.add if nobody else self._nobody.discard)(group)
        return changed

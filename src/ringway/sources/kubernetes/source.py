"""Source of backends from the EndpointSlices of a Service: a list, then watches, for as long as the gateway runs.

Whatever fails, the last good state stays, and the next attempt follows after a pause with jitter. A watch that is cut
goes on from the last version. After an answer that cannot be read, or a refusal, the slices are listed anew.
"""

import asyncio
import os
from collections.abc import Callable, Mapping
from random import Random

import msgspec

from ringway.core.backoff import next_delay_s
from ringway.errors import RingwayError
from ringway.logger import get_logger
from ringway.net.http_get import HttpAnswerError
from ringway.sources.kubernetes.api import (
    ApiFailed,
    KubernetesApi,
    VersionGone,
    WatchEvent,
    own_namespace,
    read_slice,
    version_of,
)
from ringway.sources.kubernetes.config import KubernetesConfig
from ringway.sources.kubernetes.service import read_service
from ringway.sources.kubernetes.slices import ServiceSlices
from ringway.sources.sink import BackendSink

_log = get_logger()

RETRY_CAP_S = 30.0

STEADY_S = 1.0
"""A watch that lasted this long was good, even if it brought no event."""


class KubernetesSource:
    """The pods of one Service as backends, reported to `sink` while `run` runs.

    Raise `ConfigError` for a wrong spec, and if there is no API to ask.
    """

    def __init__(
        self,
        spec: str,
        config: KubernetesConfig,
        sink: BackendSink,
        rng: Random,
        environ: Mapping[str, str] = os.environ,
    ) -> None:
        self._service = read_service(spec, own_namespace())
        self.name = self._service.source
        self._api = KubernetesApi(self._service, config, environ)
        self._config = config
        self._sink = sink
        self._rng = rng
        self._slices = ServiceSlices(self._service)
        self._version = ""
        """The version to watch from; empty: list first."""
        self._watching = False
        self._attempt = 0
        self._problems = {"api": "", "slices": ""}
        self._told = ""
        self._waiting: asyncio.TimerHandle | None = None
        self._hangup = asyncio.Event()
        self.asked = asyncio.Event()
        """Set when the first list was received, or has failed."""

    async def run(self) -> None:
        """Follow the Service until cancelled."""
        try:
            while True:
                await self._pause(await self._follow())
        finally:
            if self._waiting is not None:
                self._waiting.cancel()

    def on_hangup(self) -> None:
        """End the pause after a failure."""
        self._hangup.set()

    async def _pause(self, pause_s: float) -> None:
        self._hangup.clear()
        try:
            async with asyncio.timeout(pause_s):
                await self._hangup.wait()
        except TimeoutError:
            return

    async def _follow(self) -> float:
        """List if that is needed, and watch until the watch ends; return the pause in seconds before the next turn."""
        wait_s = 0.0
        self._watching = False
        try:
            if not self._version:
                await self._list()
            if await self._watch():
                return 0.0
        except VersionGone as error:
            _log.info("Kubernetes forgot the version of a watch; listing again", source=self.name, why=str(error))
            self._version = ""
        except (ApiFailed, msgspec.DecodeError) as error:
            self._version = ""
            self._report("api", _words(error))
            wait_s = getattr(error, "wait_s", 0.0)
        except (OSError, HttpAnswerError) as error:
            # A watch may be cut at any time; it is a problem when the next cannot be opened.
            if not self._watching:
                self._report("api", _words(error))
        self.asked.set()
        self._attempt += 1
        return max(wait_s, next_delay_s(self._attempt - 1, self._rng, cap_s=RETRY_CAP_S))

    async def _list(self) -> None:
        async with asyncio.timeout(self._config.timeout_s):
            slices, self._version = await self._api.list_slices()
        self._slices.replace_all(slices)
        self._publish()

    async def _watch(self) -> bool:
        """Watch until the API ends the watch; return True if it was long enough that the next may follow at once."""
        clock: Callable[[], float] = asyncio.get_running_loop().time
        async with asyncio.timeout(self._config.timeout_s) as deadline, self._api.watch(self._version) as events:
            begun = clock()
            deadline.reschedule(begun + self._config.watch_s + self._config.timeout_s)
            self._watching = True
            self._report("api", "")
            async for event in events:
                self._attempt = 0
                self._handle(event)
            return clock() - begun >= STEADY_S

    def _handle(self, event: WatchEvent) -> None:
        if event.type in ("ADDED", "MODIFIED", "DELETED"):
            changed = read_slice(event)
            if event.type == "DELETED":
                self._slices.remove(changed.metadata.name)
            else:
                self._slices.put(changed)
            self._publish_soon()
        self._version = version_of(event) or self._version

    def _publish_soon(self) -> None:
        if self._waiting is None:
            loop = asyncio.get_running_loop()
            self._waiting = loop.call_later(self._config.settle_s, self._publish)

    def _publish(self) -> None:
        """Report the present backends to the sink."""
        if self._waiting is not None:
            self._waiting.cancel()
            self._waiting = None
        found = self._slices.find()
        self._sink.update(self.name, found.offers, lost=found.lost)
        self._report("slices", "; ".join(found.problems))
        self.asked.set()

    def _report(self, part: str, problem: str) -> None:
        self._problems[part] = problem
        told = "; ".join(each for each in self._problems.values() if each)
        if told != self._told:
            self._told = told
            if told:
                _log.warning(
                    "a source of backends has a problem; what it offered last stays", source=self.name, problem=told
                )
            else:
                _log.info("a source of backends can be read again", source=self.name)
            self._sink.report_problem(self.name, told)


def _words(error: BaseException) -> str:
    """Return the problem that `error` is, as a sentence for operators."""
    if isinstance(error, ApiFailed):
        return str(error)
    if isinstance(error, msgspec.DecodeError):
        return f"the Kubernetes API's answer is not understood: {error}"
    if isinstance(error, RingwayError):
        return f"the Kubernetes API's answer cannot be used: {error}"
    if isinstance(error, TimeoutError):
        return "the Kubernetes API does not answer in time"
    return f"the Kubernetes API cannot be reached: {error}"

"""Sources of backends that the settings name: single backends, a file, names in DNS, and registries."""

import asyncio
from collections.abc import Callable, Coroutine, Sequence
from random import Random
from typing import Any, Protocol

from ringway.app.config import Config
from ringway.core.backend_spec import read_backends
from ringway.errors import ConfigError
from ringway.sources.backend_file import FileSource
from ringway.sources.dns import DnsSource
from ringway.sources.dns_spec import is_dns, read_dns_specs
from ringway.sources.registry import is_registry, open_registry
from ringway.sources.sink import BackendSink, Offer
from ringway.tasks import Tasks, leave_to_waiter

SETTINGS = "settings"
"""The name of the source of single backends."""

FIRST_S = 2.0
"""The time that `start` waits for the first answers, so that a gateway is not opened without backends."""


class BackendSource(Protocol):
    """A source that follows something for as long as it runs."""

    name: str
    """Its name, for operators."""

    def run(self) -> Coroutine[Any, Any, None]:
        """Report the backends to a sink, until cancelled."""
        ...

    def on_hangup(self) -> None:
        """Read again soon."""
        ...


class BackendSources:
    """The sources of one gateway. `first` are set when the sources that ask servers have begun."""

    def __init__(
        self, tell_settings: Callable[[], None], following: Sequence[BackendSource], first: Sequence[asyncio.Event]
    ) -> None:
        self._tell_settings = tell_settings
        self._following = following
        self._first = first
        self._tasks = Tasks(leave_to_waiter)

    @property
    def tasks(self) -> tuple[asyncio.Task[None], ...]:
        """Tasks that must not end while this runs; the owner of the process awaits them."""
        return tuple(self._tasks)

    @property
    def reads_again(self) -> bool:
        """True if there are sources that `on_hangup` can read again."""
        return bool(self._following)

    async def start(self) -> None:
        """Report the backends to the sink, now and when they change; wait for first answers for at most `FIRST_S`."""
        self._tell_settings()
        for source in self._following:
            self._tasks.spawn(source.run(), name=source.name)
        await asyncio.sleep(0)  # backends of a file are reported at once
        try:
            async with asyncio.timeout(FIRST_S):
                for event in self._first:
                    await event.wait()
        except TimeoutError:
            return  # each source reports it if it is late

    async def stop(self) -> None:
        """Stop all sources; the backends stay. Idempotent."""
        await self._tasks.aclose()

    def on_hangup(self) -> None:
        """Read all sources again that may have changed."""
        for source in self._following:
            source.on_hangup()


def open_sources(config: Config, sink: BackendSink, rng: Random) -> BackendSources:
    """Return the sources that `config` names, which report to `sink`; raise `ConfigError` with every problem."""
    problems: list[str] = []

    def read(reading: Callable[[], Any]) -> Any:
        try:
            return reading()
        except ConfigError as error:
            problems.extend(error.problems)

    def read_registry(spec: str) -> Any:
        return read(lambda: open_registry(spec, config.kubernetes, config.eureka, sink, rng))

    specs = config.static.backends
    single = read(lambda: read_backends([spec for spec in specs if not is_dns(spec) and not is_registry(spec)]))
    names = read(lambda: read_dns_specs([spec for spec in specs if is_dns(spec)]))
    registries = [read_registry(spec) for spec in specs if is_registry(spec)]
    file = config.static.backends_file
    files = [read(lambda: FileSource(file, sink))] if file else []
    if problems:
        raise ConfigError(*problems)
    offers = {backend.name: Offer(backend) for backend in single}
    asking = [*(DnsSource(spec, sink, rng) for spec in names), *registries]

    def tell_settings() -> None:
        if offers:
            sink.update(SETTINGS, offers)

    return BackendSources(tell_settings, [*files, *asking], [source.asked for source in asking])

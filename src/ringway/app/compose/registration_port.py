"""The registration port of a gateway: its address, and its service."""

from collections.abc import Callable

from ringway.app.registered_backends import RegisteredBackends
from ringway.app.shutdown import Job
from ringway.core.group import Groups
from ringway.core.rival import Rivals
from ringway.gateway.backends.book import BackendBook
from ringway.ports import Bus
from ringway.protocol.backend import Backend
from ringway.protocol.group import DEFAULT
from ringway.sources.registration.config import RegistrationConfig
from ringway.sources.registration.server import RegistrationServer
from ringway.sources.registration.source import RegistrationSource
from ringway.sources.registration.stats import RegistrationStats
from ringway.version import VERSION


def open_registration(config: RegistrationConfig) -> RegistrationServer | None:
    """Bind the registration port; None if there is none. Raise `ConfigError`."""
    return RegistrationServer(config) if config.port is not None else None


def serve_registration(
    server: RegistrationServer,
    config: RegistrationConfig,
    book: BackendBook,
    groups: Groups,
    bus: Bus,
    stats: RegistrationStats,
    rivals: Rivals,
    why_unreached: Callable[[str], str],
) -> list[Job]:
    """Return the jobs that answer backends and let their leases expire.

    `why_unreached` returns why the members of a group get no clients here.
    """

    cluster = RegisteredBackends(groups, book, bus)

    def warn(backend: Backend) -> str:
        return why_unreached(backend.group or DEFAULT)

    source = RegistrationSource(
        config, book, judge=cluster.judge_drain, find_state=cluster.find_state, find_node=cluster.find_node_url,
        rivals=rivals, warn=warn, stats=stats,
    )  # fmt: skip
    return [Job("registration port", server.serve(source, VERSION)), Job("registrations", source.run())]

"""The registration port of a gateway: its address, its service, and the cluster's view of registered backends."""

from collections.abc import Callable

from ringway.app.shutdown import Job
from ringway.core.group import Groups
from ringway.core.load import NodeLoad
from ringway.core.rival import Rivals
from ringway.gateway.backends.book import BackendBook
from ringway.member.leader_call import call_drain
from ringway.ports import Bus
from ringway.protocol.backend import Backend
from ringway.protocol.group import DEFAULT
from ringway.protocol.order import DrainAnswer, DrainRequest
from ringway.protocol.registration import BackendState
from ringway.protocol.report import count_present
from ringway.sources.registration.config import RegistrationConfig
from ringway.sources.registration.server import RegistrationServer
from ringway.sources.registration.source import RegistrationSource
from ringway.sources.registration.stats import RegistrationStats
from ringway.types import NodeName
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

    def find_own(name: NodeName) -> NodeLoad | None:
        """Return the backend `name` in the cluster; None if it is not the one that is registered here."""
        node, claim = groups.nodes.get(name), book.claim(name)
        if node is None or claim is None or not node.is_backend:
            return None
        return node if node.incarnation == claim.backend.incarnation else None

    async def judge(name: NodeName, within_s: float, force: bool) -> DrainAnswer:
        if find_own(name) is None:  # it carries nothing yet
            return DrainAnswer(why="", connections=0, moves_per_s=0.0, needs_s=0.0)
        return await call_drain(bus, DrainRequest(node=name, within_s=within_s, force=force))

    def find_state(name: NodeName) -> BackendState | None:
        node = find_own(name)
        if node is None or node.report is None:
            return None
        left = count_present(node.report) + node.pending
        return BackendState(state=node.state, within_s=round(node.report.drain_left_s, 1), left=left)

    def warn(backend: Backend) -> str:
        return why_unreached(backend.group or DEFAULT)

    source = RegistrationSource(
        config, book, judge=judge, find_state=find_state, rivals=rivals, warn=warn, stats=stats
    )  # fmt: skip
    return [Job("registration port", server.serve(source, VERSION)), Job("registrations", source.run())]

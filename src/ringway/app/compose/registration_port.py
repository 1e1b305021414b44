"""The registration port of a gateway: its address, its service, and the cluster's view of registered backends."""

from ringway.app.shutdown import Job
from ringway.core.group import Groups
from ringway.core.rival import Rivals
from ringway.member.leader_call import call_drain
from ringway.ports import Bus
from ringway.protocol.order import DrainAnswer, DrainRequest
from ringway.protocol.registration import BackendState
from ringway.protocol.report import count_present
from ringway.sources.registration.config import RegistrationConfig
from ringway.sources.registration.server import RegistrationServer
from ringway.sources.registration.source import RegistrationSource
from ringway.sources.registration.stats import RegistrationStats
from ringway.sources.sink import BackendSink
from ringway.types import NodeName
from ringway.version import VERSION


def open_registration(config: RegistrationConfig) -> RegistrationServer | None:
    """Bind the registration port; None if there is none. Raise `ConfigError`."""
    return RegistrationServer(config) if config.port is not None else None


def serve_registration(
    server: RegistrationServer,
    config: RegistrationConfig,
    sink: BackendSink,
    groups: Groups,
    bus: Bus,
    stats: RegistrationStats,
    rivals: Rivals,
) -> list[Job]:
    """Return the jobs that answer backends and let their leases expire."""

    async def judge(name: NodeName, within_s: float, force: bool) -> DrainAnswer:
        if name not in groups.nodes:  # it carries nothing yet
            return DrainAnswer(why="", connections=0, moves_per_s=0.0, needs_s=0.0)
        return await call_drain(bus, DrainRequest(node=name, within_s=within_s, force=force))

    def find_state(name: NodeName) -> BackendState | None:
        node = groups.nodes.get(name)
        if node is None or not node.is_backend or node.report is None:
            return None
        left = count_present(node.report) + node.pending
        return BackendState(state=node.state, within_s=round(node.report.drain_left_s, 1), left=left)

    source = RegistrationSource(config, sink, judge=judge, find_state=find_state, rivals=rivals, stats=stats)
    return [Job("registration port", server.serve(source, VERSION)), Job("registrations", source.run())]

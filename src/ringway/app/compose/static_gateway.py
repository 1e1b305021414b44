"""A gateway process over static backends: no engine, no registry, no balancer. Read it from top to bottom."""

from random import Random

from ringway.admin.api import Admin
from ringway.admin.member import describe
from ringway.admin.metric import Metrics
from ringway.app.compose.admin_port import close_admin, health_of, open_admin, serve_admin
from ringway.app.compose.identity import SHUTDOWN_EXTRA_S, new_incarnation
from ringway.app.config import Config
from ringway.app.engine import read_secret
from ringway.app.log_writer import LogWriter
from ringway.app.metric import GATEWAY, read_policy, read_poller, read_process, read_stats, read_view
from ringway.app.shutdown import Job, Step, run_until_stopped, watch
from ringway.collect.poller import Poller
from ringway.collect.sources import read_probes
from ringway.core.placement.policy import why_none
from ringway.core.steering import Steering
from ringway.gateway.cluster.backends import OnMove, read_backends
from ringway.gateway.cluster.control import GatewayControl
from ringway.gateway.cluster.directory import Directory
from ringway.gateway.cluster.health import HealthChecks
from ringway.gateway.server import Gateway
from ringway.types import Issuer, NodeName, Role

STATIC_SECRET = b"static backends"
"""Keys the hashes of policies where there is no engine and so no secret: several gateways then agree on owners."""


async def run_static_gateway(config: Config, log: LogWriter) -> int:
    """Run a gateway over static backends: no engine, no registry, no balancer."""
    rng = Random()
    backends = read_backends(config.static.backends)
    secret = read_secret(config.engine) if config.engine.secret or config.engine.secret_file else STATIC_SECRET
    steering = Steering(config.gateway.policy, secret)
    probes = read_probes(config.load.collect)
    name = config.member.name or "gateway"
    directory = Directory(Issuer(new_incarnation()))
    reopen = frozenset(backend.name for backend in backends if backend.on_move is OnMove.REOPEN)
    hosts = {backend.name: backend.host for backend in backends if backend.host}
    gateway = Gateway(config.gateway, directory, steering, None, rng, reopen=reopen, hosts=hosts)
    checks = HealthChecks(config.gateway, directory, backends, rng)
    poller = Poller(config.load, probes, directory.view, rng)
    control = GatewayControl(NodeName(name), directory, steering, rng)
    await gateway.start()
    admin = open_admin(config.admin, beside=gateway.port)
    await checks.start()
    measuring = Job("collectors", poller.run())
    jobs = [measuring, Job("watch", watch([*gateway.tasks, *checks.tasks]))]
    if admin:
        sources = [
            read_process("gateway", name, None, log),
            read_stats(gateway.stats, GATEWAY),
            read_view(directory.view),
            read_policy(steering),
            *read_poller(poller),
        ]
        asked = Admin(
            lambda: health_of(name, Role.GATEWAY, None, why_none(directory.view)),
            lambda: describe(node.report for node in directory.view.nodes.values() if node.report),
            Metrics(sources),
            control,
        )
        jobs.append(serve_admin(admin, asked, config.admin))
    steps = [
        Step("stop listening and end the relays", gateway.stop),
        Step("end the measurements", measuring.stop),
        Step("end the health checks", checks.stop),
        *close_admin(admin),
    ]
    return await run_until_stopped(jobs, steps, deadline_s=config.gateway.stop_deadline_s + SHUTDOWN_EXTRA_S)

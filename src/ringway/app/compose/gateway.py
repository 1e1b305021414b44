"""A gateway process: gateway, balancer, collectors and admin port on one engine. Read it from top to bottom."""

import time
from random import Random

from ringway.admin.api import Admin
from ringway.admin.member import describe
from ringway.admin.metric import Metrics, Source
from ringway.admin.server import AdminServer
from ringway.app.compose.admin_port import VERSION, close_admin, health_of, open_admin, serve_admin
from ringway.app.compose.identity import SHUTDOWN_EXTRA_S, free_name_later, name_member, new_incarnation
from ringway.app.config import Config
from ringway.app.engine import open_engine, read_secret
from ringway.app.limit import allow_many_files
from ringway.app.log_writer import LogWriter
from ringway.app.member import free_name
from ringway.app.metric import BALANCER, GATEWAY, read_policy, read_poller, read_process, read_stats, read_view
from ringway.app.shutdown import Job, Step, run_until_stopped, watch
from ringway.balancer.balancer import Balancer
from ringway.collect.poller import Poller
from ringway.collect.sources import read_probes
from ringway.core.placement.policy import why_none
from ringway.core.steering import Steering
from ringway.gateway.cluster.control import GatewayControl
from ringway.gateway.cluster.directory import Directory
from ringway.gateway.cluster.reporter import GatewayReporter
from ringway.gateway.server import Gateway
from ringway.net import configure
from ringway.net.listening import reachable
from ringway.protocol.report import Report
from ringway.protocol.ticket import TicketSigner
from ringway.types import Incarnation, Issuer, NodeName, Role


async def run_gateway(config: Config, log: LogWriter) -> int:
    """Run a gateway until it is told to stop; return the exit code. Raise `ConfigError`, or `EngineError`."""
    allow_many_files()
    configure(config.names)
    if config.static.backends:
        from ringway.app.compose.static_gateway import run_static_gateway

        return await run_static_gateway(config, log)
    rng = Random()
    incarnation = new_incarnation()
    secret = read_secret(config.engine)
    steering = Steering(config.gateway.policy, secret)
    probes = read_probes(config.load.collect)
    async with open_engine(config.engine, f"gateway {incarnation}") as engine:
        name = await name_member(config, engine, Role.GATEWAY, incarnation)
        directory = Directory(Issuer(incarnation))
        gateway = Gateway(config.gateway, directory, steering, TicketSigner(secret), rng)
        balancer = Balancer(
            config.balance,
            name=name,
            view=directory.view,
            steering=steering,
            engine=engine,
            clock=time.monotonic,
        )
        poller = Poller(config.load, probes, directory.view, rng)
        control = GatewayControl(name, directory, steering, rng, balancer.decisions)
        await gateway.start()
        admin = open_admin(config.admin, beside=gateway.port)
        await control.serve(engine)
        reporter = GatewayReporter(
            directory,
            engine,
            _introduction(config, name, incarnation, gateway.port, admin),
            rng,
            leading=lambda: balancer.leading,
            directive=control.followed_directive,
        )
        await reporter.start()
        measuring = Job("collectors", poller.run())
        balancing = Job("balancer", balancer.run())
        jobs = [
            measuring,
            balancing,
            Job("name", free_name_later(engine, name, incarnation)),
            Job("watch", watch([*gateway.tasks, *reporter.tasks])),
        ]
        if admin:
            sources = [
                read_process("gateway", name, engine, log),
                *_component_sources(gateway, balancer, directory, steering, poller),
            ]
            asked = Admin(
                lambda: health_of(name, Role.GATEWAY, engine, why_none(directory.view)),
                lambda: describe(directory.feed.live.values()),
                Metrics(sources),
                control,
            )
            jobs.append(serve_admin(admin, asked, config.admin))
        steps = [
            Step("leave the registry", reporter.stop),
            Step("end the measurements", measuring.stop),
            Step("answer operators no more", control.stop),
            Step("stop listening and end the relays", gateway.stop),
            Step("give the balancer's lease up", balancing.stop),
            Step("free the name", lambda: free_name(engine.lease, name, incarnation)),
            Step("leave the engine", engine.close),
            *close_admin(admin),
        ]
        return await run_until_stopped(jobs, steps, deadline_s=config.gateway.stop_deadline_s + SHUTDOWN_EXTRA_S)


def _component_sources(
    gateway: Gateway, balancer: Balancer, directory: Directory, steering: Steering, poller: Poller
) -> list[Source]:
    """Return what is read at a scrape, besides the process itself."""
    return [
        read_stats(gateway.stats, GATEWAY),
        read_stats(balancer.stats, BALANCER),
        read_view(directory.view),
        read_policy(steering),
        *read_poller(poller),
    ]


def _introduction(
    config: Config, name: NodeName, incarnation: Incarnation, port: int, admin: AdminServer | None
) -> Report:
    """What a gateway's reports say all its life."""
    url = f"http://{reachable(config.gateway.host)}:{port}"
    return Report(
        name=name,
        incarnation=incarnation,
        role=Role.GATEWAY,
        seq=0,
        url=url,
        public_url=config.gateway.public_url or url,
        version=VERSION,
        admin_url=admin.url if admin else "",
    )

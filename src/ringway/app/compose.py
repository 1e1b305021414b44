"""The composition root: builds a gateway process and a node process out of their parts, and runs them.

Read it from top to bottom to see who knows whom. Every part is given what it needs; nothing is found by itself.
"""

import asyncio
import secrets
import time
from importlib.metadata import version
from random import Random

from ringway.admin.api import Admin, Health, build_api
from ringway.admin.config import AdminConfig
from ringway.admin.member import describe
from ringway.admin.metric import Metrics, Source
from ringway.admin.server import AdminServer
from ringway.app.config import Config
from ringway.app.engine import open_engine, read_secret
from ringway.app.limit import allow_many_files
from ringway.app.log_writer import LogWriter
from ringway.app.member import free_name, take_name
from ringway.app.metric import (
    BALANCER,
    COLLECT,
    GATEWAY,
    NODE,
    read_collected,
    read_policy,
    read_process,
    read_stats,
    read_view,
)
from ringway.app.shutdown import Job, Step, run_until_stopped, watch
from ringway.balancer.balancer import Balancer
from ringway.collect.poller import Poller
from ringway.collect.sources import read_probes
from ringway.core.placement import why_none
from ringway.core.steering import Steering
from ringway.errors import ConfigError
from ringway.gateway.cluster.backends import OnMove, read_backends
from ringway.gateway.cluster.control import GatewayControl
from ringway.gateway.cluster.directory import Directory
from ringway.gateway.cluster.health import HealthChecks
from ringway.gateway.cluster.reporter import GatewayReporter
from ringway.gateway.server import Gateway
from ringway.logger import bind, get_logger
from ringway.net import configure
from ringway.net.listening import reachable
from ringway.node.server import ChannelNode
from ringway.ports import Engine
from ringway.protocol.host import read_hosts
from ringway.protocol.report import Report
from ringway.protocol.ticket import TicketSigner
from ringway.types import Incarnation, Issuer, NodeName, NodeState, Role

VERSION = version("ringway")

HEARD_S = 2.0
"""After this long every member has reported, and its name is known by that."""

SHUTDOWN_EXTRA_S = 5.0
"""What a shutdown may take beyond the time that clients are given to end."""

_log = get_logger()

STATIC_SECRET = b"static backends"
"""Keys the hashes of policies where there is no engine and so no secret: several gateways then agree on owners."""


async def run_gateway(config: Config, log: LogWriter) -> int:
    """Run a gateway until it is told to stop; return the exit code. Raise `ConfigError`, or `EngineError`."""
    allow_many_files()
    configure(config.names)
    if config.static.backends:
        return await _run_static_gateway(config, log)
    rng = Random()
    incarnation = _new_incarnation()
    secret = read_secret(config.engine)
    steering = Steering(config.gateway.policy, secret)
    probes = read_probes(config.load.collect)
    async with open_engine(config.engine, f"gateway {incarnation}") as engine:
        name = await _take_name(config, engine, Role.GATEWAY, incarnation)
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
        admin = _open_admin(config.admin, beside=gateway.port)
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
        sources = [
            read_process("gateway", name, engine, log),
            read_stats(gateway.stats, GATEWAY),
            read_stats(balancer.stats, BALANCER),
            read_view(directory.view),
            read_policy(steering),
            *_read_poller(poller),
        ]
        measuring = Job("collectors", poller.run())
        balancing = Job("balancer", balancer.run())
        jobs = [
            measuring,
            balancing,
            Job("name", _free_name(engine, name, incarnation)),
            Job("watch", watch([*gateway.tasks, *reporter.tasks])),
        ]
        if admin:
            asked = Admin(
                lambda: _health(name, Role.GATEWAY, engine, why_none(directory.view)),
                lambda: describe(directory.feed.live.values()),
                Metrics(sources),
                control,
            )
            jobs.append(_serve_admin(admin, asked, config.admin))
        steps = [
            Step("leave the registry", reporter.stop),
            Step("end the measurements", measuring.stop),
            Step("answer operators no more", control.stop),
            Step("stop listening and end the relays", gateway.stop),
            Step("give the balancer's lease up", balancing.stop),
            Step("free the name", lambda: free_name(engine.lease, name, incarnation)),
            Step("leave the engine", engine.close),
            *_close_admin(admin),
        ]
        return await run_until_stopped(jobs, steps, deadline_s=config.gateway.stop_deadline_s + SHUTDOWN_EXTRA_S)


async def _run_static_gateway(config: Config, log: LogWriter) -> int:
    """Run a gateway over static backends: no engine, no registry, no balancer."""
    rng = Random()
    backends = read_backends(config.static.backends)
    secret = read_secret(config.engine) if config.engine.secret or config.engine.secret_file else STATIC_SECRET
    steering = Steering(config.gateway.policy, secret)
    probes = read_probes(config.load.collect)
    name = config.member.name or "gateway"
    directory = Directory(Issuer(_new_incarnation()))
    reopen = frozenset(backend.name for backend in backends if backend.on_move is OnMove.REOPEN)
    hosts = {backend.name: backend.host for backend in backends if backend.host}
    gateway = Gateway(config.gateway, directory, steering, None, rng, reopen=reopen, hosts=hosts)
    checks = HealthChecks(config.gateway, directory, backends, rng)
    poller = Poller(config.load, probes, directory.view, rng)
    control = GatewayControl(NodeName(name), directory, steering, rng)
    await gateway.start()
    admin = _open_admin(config.admin, beside=gateway.port)
    await checks.start()
    measuring = Job("collectors", poller.run())
    jobs = [measuring, Job("watch", watch([*gateway.tasks, *checks.tasks]))]
    if admin:
        sources = [
            read_process("gateway", name, None, log),
            read_stats(gateway.stats, GATEWAY),
            read_view(directory.view),
            read_policy(steering),
            *_read_poller(poller),
        ]
        asked = Admin(
            lambda: _health(name, Role.GATEWAY, None, why_none(directory.view)),
            lambda: describe(node.report for node in directory.view.nodes.values() if node.report),
            Metrics(sources),
            control,
        )
        jobs.append(_serve_admin(admin, asked, config.admin))
    steps = [
        Step("stop listening and end the relays", gateway.stop),
        Step("end the measurements", measuring.stop),
        Step("end the health checks", checks.stop),
        *_close_admin(admin),
    ]
    return await run_until_stopped(jobs, steps, deadline_s=config.gateway.stop_deadline_s + SHUTDOWN_EXTRA_S)


async def run_node(config: Config, log: LogWriter) -> int:
    """Run a channel node until it is told to stop; return the exit code. Raise `ConfigError`, or `EngineError`."""
    allow_many_files()
    configure(config.names)
    incarnation = _new_incarnation()
    secret = read_secret(config.engine)
    async with open_engine(config.engine, f"node {incarnation}") as engine:
        name = await _take_name(config, engine, Role.NODE, incarnation)
        node = ChannelNode(config.node, name, incarnation, engine, TicketSigner(secret), ring_secret=secret)
        admin = _open_admin(config.admin)
        if admin:
            node.set_admin_url(admin.url)
        await node.start()
        jobs = [Job("watch", watch(node.tasks)), Job("name", _free_name(engine, name, incarnation))]
        if admin:
            sources = [read_process("node", name, engine, log), read_stats(node.stats, NODE)]
            members = node.feed.live
            asked = Admin(
                lambda: _health(name, Role.NODE, engine, "draining" if node.state is NodeState.DRAINING else ""),
                lambda: describe(members.values()),
                Metrics(sources),
            )
            jobs.append(_serve_admin(admin, asked, config.admin))
        steps = [
            Step("leave the registry, stop listening and close the clients", node.stop),
            Step("free the name", lambda: free_name(engine.lease, name, incarnation)),
            Step("leave the engine", engine.close),
            *_close_admin(admin),
        ]
        deadline_s = config.node.stop_deadline_s + SHUTDOWN_EXTRA_S
        return await run_until_stopped(jobs, steps, deadline_s=deadline_s, drain=node.drain)


def _read_poller(poller: Poller) -> list[Source]:
    return [read_stats(poller.stats, COLLECT), read_collected(poller)]


def _new_incarnation() -> Incarnation:
    return Incarnation(secrets.token_hex(4))


async def _take_name(config: Config, engine: Engine, role: Role, incarnation: Incarnation) -> NodeName:
    """Take a name, and let every event in the log carry it. Hearing who is there takes a connection of its own."""
    async with open_engine(config.engine, f"a name for {role} {incarnation}") as ears:
        name = await take_name(ears, engine.lease, config.member.name, role, incarnation)
    bind(process=name)
    return name


async def _free_name(engine: Engine, name: NodeName, incarnation: Incarnation) -> None:
    """Give the lease of the name back once everybody has heard the member by it."""
    await asyncio.sleep(HEARD_S)
    await free_name(engine.lease, name, incarnation)
    await asyncio.Event().wait()


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


def _open_admin(config: AdminConfig, beside: int | None = None) -> AdminServer | None:
    """Bind the admin port: the given one, the one after `beside` where that is free, or any."""
    if not config.enabled:
        return None
    if config.port is not None:
        return AdminServer(config.host, config.port, config)
    if beside is not None and beside < 65535:
        try:
            return AdminServer(config.host, beside + 1, config)
        except ConfigError:
            pass
    return AdminServer(config.host, 0, config)


def _serve_admin(server: AdminServer, admin: Admin, config: AdminConfig) -> Job:
    if not server.on_loopback:
        _log.warning(
            "the admin port can be reached from elsewhere, and asks nobody who they are",
            url=server.url,
            remedy="let a firewall keep others away, or leave --admin-host out",
        )
    hosts = read_hosts(config.allowed_hosts) if server.on_loopback else None
    return Job("admin port", server.run(build_api(admin, VERSION, hosts)))


def _close_admin(server: AdminServer | None) -> list[Step]:
    return [Step("close the admin port", server.close)] if server else []


def _health(name: str, role: Role, engine: Engine | None, problem: str) -> Health:
    """How the process is. Without the engine it stays ready for what it can do: else all members would go at once."""
    wrong = _wrong(engine)
    return Health(
        name=name,
        role=role,
        version=VERSION,
        engine="none" if engine is None else "up" if engine.up else "away",
        ready=not problem,
        degraded=bool(wrong),
        problems=tuple(filter(None, (problem, wrong))),
    )


def _wrong(engine: Engine | None) -> str:
    """What is wrong with the engine; nothing where there is none."""
    if engine is None or (engine.up and not engine.problem):
        return ""
    return engine.problem if engine.up else f"the engine is away: {engine.problem or 'it is being connected to'}"

"""A gateway process: gateway, balancer, collectors and admin port on one engine. Read it from top to bottom."""

import time
from collections.abc import Callable
from functools import partial
from random import Random
from typing import NamedTuple

import msgspec

from ringway.admin.api import Admin
from ringway.admin.calls import OperatorWays
from ringway.admin.member import describe
from ringway.admin.metric import Metrics, Source
from ringway.admin.server import AdminServer
from ringway.app.collect_metric import read_poller
from ringway.app.compose.admin_port import close_admin, health_of, open_admin, serve_admin
from ringway.app.compose.groups import make_groups
from ringway.app.compose.holding import GatewayBackends
from ringway.app.compose.identity import SHUTDOWN_EXTRA_S, free_name_later, name_alone, name_member, new_incarnation
from ringway.app.config import Config
from ringway.app.engine import open_ears, open_engine, settings_alone
from ringway.app.group_metric import read_balances, read_groups, read_policies
from ringway.app.isolation import Isolation
from ringway.app.limit import allow_many_files
from ringway.app.log_writer import LogWriter
from ringway.app.lone_gateway import be_noted
from ringway.app.member import free_name
from ringway.app.metric import (
    BALANCER,
    GATEWAY,
    read_fingerprints,
    read_process,
    read_refusals,
    read_stats,
    read_strangers,
)
from ringway.app.secret_watch import SecretWatch
from ringway.app.shutdown import Job, Step, run_until_stopped, watch
from ringway.app.tls_watch import TlsWatch
from ringway.balancer.balancer import Balancer
from ringway.collect.poller import Poller
from ringway.collect.sources import read_probes
from ringway.core.group import Groups
from ringway.core.isolation import why_not_to_lead
from ringway.core.report_reader import ReportReader
from ringway.core.report_writer import ReportWriter
from ringway.core.wire_choice import WireChoice
from ringway.gateway.backends.holding import Holding
from ringway.gateway.cluster.control import GatewayControl
from ringway.gateway.cluster.directory import Directory
from ringway.gateway.cluster.doubt_notices import DoubtNotices
from ringway.gateway.cluster.reporter import GatewayReporter
from ringway.gateway.server import Gateway
from ringway.member.sealed_engine import SealedEngine
from ringway.net import configure
from ringway.net.listening import reachable
from ringway.ports import Engine
from ringway.protocol.keyring import Keyring, Purpose
from ringway.protocol.report import Report
from ringway.protocol.seal import Sealer, Unsealer
from ringway.protocol.ticket import TicketSigner
from ringway.types import Incarnation, Issuer, NodeName, Role
from ringway.version import VERSION


class TroubleTellers(NamedTuple):
    """Parts that know what an operator must repair."""

    isolation: Isolation
    certificates: TlsWatch


async def run_gateway(config: Config, log: LogWriter, on_started: Callable[[], None] = lambda: None) -> int:
    """Run a gateway until it is stopped; return the exit code. Raise `ConfigError`, or `EngineError`."""
    allow_many_files()
    configure(config.names)
    alone = not config.engine.url
    if alone:
        config = msgspec.structs.replace(config, engine=settings_alone(config.engine))
    rng, incarnation, secrets = Random(), new_incarnation(), SecretWatch(config.engine)
    keyring = secrets.keyring
    groups = make_groups(config, Issuer(incarnation))
    probes = read_probes(config.load.collect)
    async with (
        open_engine(config.engine, f"gateway {incarnation}") as opened,
        open_ears(config.engine, opened, f"reports for gateway {incarnation}") as ears,
    ):
        engine = SealedEngine(opened, keyring, incarnation)
        name = name_alone(config) if alone else await name_member(config, engine, keyring, Role.GATEWAY, incarnation)
        directory = _make_directory(keyring, incarnation, groups)
        backends = GatewayBackends(config, name, incarnation, directory, engine, rng)
        gateway = backends.make_gateway(TicketSigner(keyring))
        balancer = _make_balancer(config, name, directory, engine)
        poller = Poller(config.load, probes, groups, rng)
        control = _make_control(name, directory, rng, engine, gateway, balancer)
        await gateway.start()
        admin = open_admin(config.admin, beside=gateway.port)
        await control.serve()
        await backends.start()
        introduction = _introduction(config, name, incarnation, gateway.port, admin)
        writer = ReportWriter(name, Sealer(keyring, Purpose.REPORT, incarnation, time.time), rng)
        reporter = _make_reporter(
            directory, engine, ears, introduction, writer, rng, balancer, control, backends.holding
        )
        await reporter.start()
        on_started()  # all settings are found good, and all ports listen
        told = _make_tellers(name, directory, gateway, admin, backends)
        measuring, balancing = Job("collectors", poller.run()), Job("balancer", balancer.run())
        jobs = [
            measuring,
            balancing,
            Job("name", free_name_later(engine, name, incarnation)),
            *_telling_jobs(name, directory, told, engine, rng),
            Job("secrets", secrets.run()),
            *backends.jobs(),
            Job("watch", watch([*gateway.tasks, *reporter.tasks, *backends.sources.tasks])),
        ]
        if admin:
            sources = [
                read_process("gateway", name, engine, log),
                read_refusals(engine.refusals),
                *_component_sources(gateway, backends, balancer, directory, poller, keyring),
            ]
            asked = _admin_of(name, engine, alone, directory, told, backends, balancer, control, Metrics(sources))
            jobs.append(serve_admin(admin, asked, config.admin))
            jobs += [Job("note for commands", be_noted(introduction.url, admin.url))] if alone else []
        steps = [
            Step("take no more registrations", backends.close_registration),
            Step("leave the registry", reporter.stop),
            Step("end the measurements", measuring.stop),
            Step("answer operators no more", control.stop),
            Step("stop listening and end the relays", gateway.stop),
            Step("hold backends no more", backends.stop),
            Step("give the balancer's lease up", balancing.stop),
            Step("free the name", lambda: free_name(engine.lease, name, incarnation)),
            Step("hear reports no more", ears.close),
            Step("leave the engine", engine.close),
            *close_admin(admin),
        ]
        deadline_s = config.gateway.stop_deadline_s + SHUTDOWN_EXTRA_S
        on_hangup = partial(backends.reread, secrets, told.certificates)
        return await run_until_stopped(jobs, steps, deadline_s=deadline_s, on_hangup=on_hangup)


def _make_control(
    name: NodeName, directory: Directory, rng: Random, engine: SealedEngine, gateway: Gateway, balancer: Balancer
) -> GatewayControl:
    """Return what answers the commands of operators about the members."""
    return GatewayControl(
        name, directory, rng, engine, balancer.decisions,
        route_of=gateway.group_at, why_unreached=gateway.why_unreached, pauses=balancer.pauses,
    )  # fmt: skip


def _make_directory(keyring: Keyring, incarnation: Incarnation, groups: Groups) -> Directory:
    """Return the directory of the members that the cluster's secret proves."""
    reader = ReportReader(Unsealer(keyring, Purpose.REPORT))
    wire = WireChoice(keyring, incarnation, hears_nodes=True)
    return Directory(Issuer(incarnation), reader, wire=wire, groups=groups)


def _make_tellers(
    name: NodeName, directory: Directory, gateway: Gateway, admin: AdminServer | None, backends: GatewayBackends
) -> TroubleTellers:
    """Return the parts that know what an operator must repair."""
    ports = [gateway.tls, admin.tls if admin else None, backends.registration_tls]
    return TroubleTellers(Isolation(name, directory.feed), TlsWatch(ports))


def _telling_jobs(
    name: NodeName,
    directory: Directory,
    told: TroubleTellers,
    engine: SealedEngine,
    rng: Random,
) -> list[Job]:
    """Return the jobs that report to operators and nodes why clients cannot be placed, or soon cannot come."""
    notices = DoubtNotices(name, directory.groups, engine.bus, rng)
    return [
        Job("isolation", told.isolation.run()),
        Job("certificates", told.certificates.run()),
        Job("doubt notices", notices.run()),
    ]


def _make_balancer(config: Config, name: NodeName, directory: Directory, engine: SealedEngine) -> Balancer:
    """Return the balancer of the gateway `name`."""
    return Balancer(
        config.balance,
        name=name,
        proven_fence=directory.proven_fence,
        why_not=lambda: why_not_to_lead(name, directory.feed.live, directory.feed.strangers, time.monotonic()),
        is_led=directory.is_led,
        held=directory.held,
        groups=directory.groups,
        engine=engine,
        clock=time.monotonic,
    )


def _make_reporter(
    directory: Directory,
    engine: SealedEngine,
    ears: Engine,
    introduction: Report,
    writer: ReportWriter,
    rng: Random,
    balancer: Balancer,
    control: GatewayControl,
    holding: Holding,
) -> GatewayReporter:
    """Return the reporter of the gateway, which includes the decisions of its balancer and its operators."""
    return GatewayReporter(
        directory,
        engine,
        introduction,
        writer,
        rng,
        ears=ears,
        owners=lambda: balancer.owners,
        leading=lambda: balancer.leading,
        fence=lambda: balancer.fence,
        directive=control.followed_directive,
        backends=holding,
    )


def _component_sources(
    gateway: Gateway,
    backends: GatewayBackends,
    balancer: Balancer,
    directory: Directory,
    poller: Poller,
    keyring: Keyring,
) -> list[Source]:
    """Return the sources of metrics, except those of the process itself."""
    return [
        read_fingerprints(keyring),
        read_stats(gateway.stats, GATEWAY),
        read_stats(balancer.stats, BALANCER),
        read_balances(balancer.balances),
        read_groups(directory.groups),
        read_strangers(directory.feed.strangers, are_counted=True),
        read_policies(directory.groups),
        *read_poller(poller),
        *backends.metrics(),
    ]


def _admin_of(
    name: NodeName,
    engine: Engine,
    alone: bool,
    directory: Directory,
    told: TroubleTellers,
    backends: GatewayBackends,
    balancer: Balancer,
    control: GatewayControl,
    metrics: Metrics,
) -> Admin:
    """Return the service of the admin port. A gateway that is `alone` reports no engine."""
    reached = None if alone else engine
    return Admin(
        lambda: health_of(
            name,
            Role.GATEWAY,
            reached,
            told.isolation.problem() or backends.why_none(),
            balancer.hindrance,
            told.certificates.problem(),
        ),
        lambda: describe(
            directory.feed.live.values(), {name: control.problems()}, control.strangers(), control.pauses()
        ),
        metrics,
        control,
        OperatorWays(engine.bus, directory.feed.live.values),
    )


def _introduction(
    config: Config, name: NodeName, incarnation: Incarnation, port: int, admin: AdminServer | None
) -> Report:
    """Return the part of a gateway's reports that never changes."""
    scheme = "https" if config.gateway.tls_cert else "http"
    url = f"{scheme}://{reachable(config.gateway.host)}:{port}"
    return Report(
        name=name,
        incarnation=incarnation,
        role=Role.GATEWAY,
        seq=0,
        url=url,
        public_url=config.gateway.public_url or url,
        version=VERSION,
        admin_url=admin.url if admin else "",
        cool_down_s=config.gateway.move_cool_down_s,
    )

"""Membership of a node: its member of the cluster and its admission, made of its settings."""

from ringway.core.report_writer import ReportWriter
from ringway.member.admission import Admission
from ringway.member.drain import Drain
from ringway.member.feed import Feed
from ringway.member.member import Member, MemberSettings
from ringway.member.process import ProcessStats
from ringway.member.redeemed_tickets import RedeemedTickets
from ringway.member.sent_moves import SentMoves
from ringway.node.clients import NodeClients
from ringway.node.config.node import NodeConfig
from ringway.node.connection.connection import Connection
from ringway.node.environment import NodeEnvironment
from ringway.node.holder import ChannelHolder
from ringway.protocol.keyring import Purpose
from ringway.protocol.report import Report
from ringway.protocol.seal import Sealer
from ringway.types import Role
from ringway.version import VERSION


def make_member(
    environment: NodeEnvironment,
    clients: NodeClients,
    feed: Feed,
    drain: Drain,
    tickets: RedeemedTickets,
    sent: SentMoves,
    process: ProcessStats,
    ring_secret: bytes,
) -> Member[Connection]:
    """Return the member for which the node holds connections; the node's stats have its gauges."""
    member = Member(
        _introduction(environment),
        _settings(environment.config),
        environment.engine,
        ChannelHolder(clients, environment.stats),
        feed=feed,
        drain=drain,
        tickets=tickets,
        sent=sent,
        process=process,
        writer=ReportWriter(
            environment.name,
            Sealer(environment.keyring, Purpose.REPORT, environment.incarnation, environment.wall),
            environment.rng,
        ),
        ring_secret=ring_secret,
        clock=environment.clock,
        rng=environment.rng,
    )
    environment.stats.utilisation = member.utilisation
    return member


def make_admission(
    environment: NodeEnvironment, tickets: RedeemedTickets, drain: Drain, process: ProcessStats
) -> Admission:
    """Return the admission of handshakes by rate, state and ticket."""
    config = environment.config
    return Admission(
        environment.name,
        environment.signer,
        tickets,
        drain,
        process,
        sheds=config.shed_handshakes,
        address_share=config.address_share,
        retry_after_s=config.retry_after_s,
        on_turned_away=environment.stats.on_turned_away,
        clock=environment.clock,
        wall=environment.wall,
    )


def _introduction(environment: NodeEnvironment) -> Report:
    """Return a report with the facts that do not change in the node's lifetime."""
    return Report(
        name=environment.name,
        incarnation=environment.incarnation,
        role=Role.NODE,
        seq=0,
        url="",
        version=VERSION,
        weight=environment.config.weight,
        zone=environment.config.zone,
        cool_down_s=environment.config.move_cool_down_s,
    )


def _settings(config: NodeConfig) -> MemberSettings:
    return MemberSettings(
        report_interval_s=config.report_interval_s,
        egress_bytes_per_s_max=config.egress_bytes_per_s_max,
        drain_within_s=config.drain_within_s,
        close_deadline_s=config.close_deadline_s,
        stop_deadline_s=config.stop_deadline_s,
        idle_after_s=config.idle_after_s,
        move_oldest_first=config.move_first == "oldest",
    )

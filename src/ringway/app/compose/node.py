"""A node process: a channel node on its engine, with an admin port. Read it from top to bottom."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import partial
from random import Random

from ringway.admin.api import Admin
from ringway.admin.member import describe
from ringway.admin.metric import Metrics, Source
from ringway.app.compose.admin_port import close_admin, health_of, open_admin, serve_admin
from ringway.app.compose.http_api_port import close_http_api, open_http_api, serve_http_api
from ringway.app.compose.identity import SHUTDOWN_EXTRA_S, free_name_later, name_member, new_incarnation
from ringway.app.compose.outbox import close_outbox, open_outbox, serve_outbox
from ringway.app.config import Config
from ringway.app.engine import open_engine, read_hash_secret
from ringway.app.hook_metric import read_hooks_of
from ringway.app.isolation import Isolation
from ringway.app.limit import allow_many_files
from ringway.app.log_writer import LogWriter
from ringway.app.member import free_name
from ringway.app.metric import NODE, read_fingerprints, read_process, read_refusals, read_stats, read_strangers
from ringway.app.outbox_metric import read_outbox
from ringway.app.rpc_functions import load_rpc_offer
from ringway.app.secret_watch import SecretWatch
from ringway.app.server_api_metric import read_server_api
from ringway.app.shutdown import Job, Step, Stop, run_until_stopped, watch
from ringway.app.tls_watch import TlsWatch
from ringway.app.token_watch import TokenWatch, reread_on_hangup
from ringway.net import configure
from ringway.node.server import ChannelNode
from ringway.node.server_api.stats import ServerApiStats
from ringway.protocol.keyring import Keyring
from ringway.rpc import RpcHandler
from ringway.server_methods import ServerMethods
from ringway.types import NodeState, Role


@dataclass(frozen=True, slots=True)
class Hosted:
    """The program in whose process a node runs: it sets `stop`, and leaves signals and memory alone to itself.

    `on_started` is given the node, and the server API in this process. `handlers` answer calls of clients.
    """

    stop: Stop
    on_started: Callable[[ChannelNode, ServerMethods], None]
    handlers: Mapping[str, RpcHandler]


async def run_node(config: Config, log: LogWriter, hosted: Hosted | None = None) -> int:
    """Run a channel node until it is stopped; return the exit code. Raise `ConfigError`, or `EngineError`."""
    allow_many_files()
    configure(config.names)
    incarnation = new_incarnation()
    secrets = SecretWatch(config.engine)
    tokens = TokenWatch(config, Random())
    rpc = load_rpc_offer(config.rpc, config.http_api, hosted.handlers if hosted else {})
    keyring, ring_secret = secrets.keyring, read_hash_secret(config.engine)
    async with open_engine(config.engine, f"node {incarnation}") as engine:
        name = await name_member(config, engine, keyring, Role.NODE, incarnation)
        node = ChannelNode(
            config.node, name, incarnation, engine, keyring, ring_secret=ring_secret, verifier=tokens.verifier,
            token=config.token, rpc=rpc,
        )  # fmt: skip
        admin = open_admin(config.admin)
        api = open_http_api(config.http_api)
        api_stats = api.stats if api else ServerApiStats()
        outbox = open_outbox(config, node, api_stats)
        if admin:
            node.set_admin_url(admin.url)
        await node.start()
        isolation = Isolation(name, node.feed)
        certificates = TlsWatch([node.tls, admin.tls if admin else None, api.tls if api else None])
        jobs = [
            Job("watch", watch(node.tasks)),
            Job("isolation", isolation.run()),
            Job("name", free_name_later(engine, name, incarnation)),
            Job("secrets", secrets.run()),
            Job("keys of tokens", tokens.run()),
            Job("certificates", certificates.run()),
            *serve_http_api(api, node, config.http_api),
            *serve_outbox(outbox),
        ]
        if admin:
            sources = [
                read_process("node", name, engine, log),
                *_sources_of(node, keyring),
                *read_server_api(api_stats if api or outbox else None),
                *read_outbox(outbox.stats if outbox else None),
            ]
            asked = Admin(
                lambda: health_of(
                    name,
                    Role.NODE,
                    engine,
                    "draining" if node.state is NodeState.DRAINING else isolation.problem(),
                    node.problems(),
                    str(outbox.problems) if outbox else "",
                    certificates.problem(),
                ),
                lambda: describe([node.report(), *node.feed.live.values()], strangers=node.feed.strangers.rows()),
                Metrics(sources),
            )
            jobs.append(serve_admin(admin, asked, config.admin))
        steps = [
            *close_http_api(api),
            *close_outbox(outbox),
            Step("leave the registry, stop listening and close the clients", node.stop),
            Step("free the name", lambda: free_name(engine.lease, name, incarnation)),
            Step("leave the engine", engine.close),
            *close_admin(admin),
        ]
        if hosted:
            hosted.on_started(node, node.local_server(config.http_api))
        return await run_until_stopped(
            jobs, steps, deadline_s=_deadline_s(config), drain=node.drain, stop=hosted.stop if hosted else None,
            on_hangup=partial(reread_on_hangup, secrets, tokens, certificates), owns_process=hosted is None,
        )  # fmt: skip


def _deadline_s(config: Config) -> float:
    """Return the time for the stop of a node: its calls (RPC) end before their clients are closed."""
    calls_s = min(config.rpc.timeout_s, config.node.stop_deadline_s)
    return calls_s + config.node.stop_deadline_s + SHUTDOWN_EXTRA_S


def _sources_of(node: ChannelNode, keyring: Keyring) -> list[Source]:
    return [
        read_stats(node.stats, NODE),
        read_refusals(node.refusals),
        read_strangers(node.feed.strangers, are_counted=False),
        read_fingerprints(keyring),
        read_hooks_of(node.clients.hooks),
    ]

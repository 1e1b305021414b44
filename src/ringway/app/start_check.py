"""Check of settings as a whole: what a start would refuse before it touches the network, found without a start.

Each check reads settings by the code that the start reads them by, and gives the result away. So a setting that passes
here is not refused there, unless files or the environment differ.
"""

from collections.abc import Callable, Collection, Iterator, Mapping
from contextlib import suppress
from random import Random
from typing import Any

from ringway.admin.tokens import AdminTokens
from ringway.app.backend_sources import open_sources
from ringway.app.compose.outbox import check_outbox
from ringway.app.config import Config, Loaded, running_at
from ringway.app.engine import REDIS_SCHEMES, check_scheme, read_hash_secret, read_secret, read_secrets, whole_url
from ringway.app.routes_check import groups_of_specs, readable_routes, route_problems
from ringway.app.rpc_functions import load_rpc_offer
from ringway.app.score_function import load_score_function
from ringway.app.state import state_dir
from ringway.auth.config import KEYS, PREVIOUS
from ringway.auth.verifier import make_verifier
from ringway.collect.sources import read_probes
from ringway.core.route_spec import check_has_keys
from ringway.core.steering import Steering
from ringway.engine.address import check_cluster
from ringway.errors import ConfigError
from ringway.gateway.http.static import StaticFiles
from ringway.gateway.proxy.upstream_tls import UpstreamTls
from ringway.net.tls.config import TlsPortConfig
from ringway.net.tls.server import PortTls
from ringway.node.rpc_hook import check_hooks
from ringway.node.server_api.keys import check_keys
from ringway.protocol.name import check_name
from ringway.sources.registration.server import check_guard
from ringway.sources.sink import Offer
from ringway.types import NodeName

BACKENDS = ("static.backends", "static.backends_file")
ADMIN_TOKENS = ("admin.read_tokens_file", "admin.operate_tokens_file")
OUTBOX = ("postgresql.dsn", "postgresql.dsn_file")
HTTP_API = ("http_api.port", "http_api.host", "http_api.key", "http_api.key_file", "http_api.insecure")
POLICY = "gateway.policy"
UPSTREAM_TLS = ("gateway.upstream_tls_ca", "gateway.upstream_tls_cert", "gateway.upstream_tls_key")
ROUTES = "gateway.routes"
RPC = "rpc.functions"
HOOKS = ("node.hooks", "rpc.hooks")
TOKENS = tuple(
    f"{section}.{name}"
    for section in ("token", "subscription_token")
    for key in (*KEYS, PREVIOUS)
    for name in (key, f"{key}_file")
) + tuple(
    f"{section}.{name}"
    for section in ("token", "subscription_token")
    for name in ("jwks_public_endpoint", "jwks_ca_file")
)


def start_problems(loaded: Loaded, *, joins: bool = False) -> list[str]:
    """Return what the start of a gateway or node would refuse, with the source of each setting.

    With `joins` the gateway joins a system that is not in the settings, and that may have further groups.
    """
    return list(dict.fromkeys([*gateway_problems(loaded, joins=joins), *node_problems(loaded)]))


def gateway_start_problems(loaded: Loaded, *, joins: bool = False) -> list[str]:
    """As `start_problems`, of a gateway alone: it reads keys of tokens only if a route asks for tokens."""
    asks = any(route.auth for route in readable_routes(loaded.config.gateway.routes))
    tokens = token_problems(loaded) if asks else []
    return [*gateway_problems(loaded, joins=joins), *member_problems(loaded), *tokens]


def node_problems(loaded: Loaded) -> list[str]:
    """Return what the start of a node would refuse, with the source of each setting."""
    config = loaded.config.http_api
    api = list(_refused(loaded, HTTP_API, lambda: check_keys(config))) if config.port is not None else []
    rpc = _refused(loaded, (RPC,), lambda: load_rpc_offer(loaded.config.rpc))
    hooks = _refused(loaded, HOOKS, lambda: check_hooks(loaded.config.node.hooks, loaded.config.rpc))
    outbox = _refused(loaded, OUTBOX, lambda: check_outbox(loaded.config.postgresql))
    tls = tls_problems(loaded, "node", "admin", "http_api")
    return [*member_problems(loaded), *token_problems(loaded), *api, *rpc, *hooks, *outbox, *tls]


def tls_problems(loaded: Loaded, *sections: str) -> list[str]:
    """Return which certificates of the ports of `sections` cannot be used; their files are read."""
    problems: list[str] = []
    for section in sections:
        config: TlsPortConfig = getattr(loaded.config, section)
        paths = [f"{section}.{name}" for name in ("tls_cert", "tls_key", "tls_client_ca")]
        if config.tls_cert:
            problems += _refused(loaded, paths, lambda config=config, name=section: PortTls(config, name))  # type: ignore[misc]
    return problems


def token_problems(loaded: Loaded) -> list[str]:
    """Return which keys of tokens cannot be used; the files that the settings name are read."""
    config = loaded.config
    return list(_refused(loaded, TOKENS, lambda: make_verifier(config.token, config.subscription_token, Random())))


def secret_problems(loaded: Loaded) -> list[str]:
    """Return that no secret is given for the engine, unless a system runs here whose secrets are used."""
    engine = loaded.config.engine
    if not engine.url or engine.secret or engine.secret_file or _told(lambda: whole_url(engine)):
        return []
    with suppress(ConfigError):  # without a home directory no system runs here
        if running_at(engine, state_dir()) is not None:
            return []
    return list(_refused(loaded, ("engine.url",), lambda: read_secret(engine)))


def gateway_problems(loaded: Loaded, *, joins: bool = False) -> list[str]:
    """Return what the start of a gateway would refuse in its own settings.

    A score, a collector and their packages are loaded, and the files that the settings name are read.
    """
    config = loaded.config
    problems = [*policy_problems(loaded, joins=joins), *_route_token_problems(loaded)]
    problems += _refused(loaded, BACKENDS, lambda: open_sources(config, _Nowhere(), Random()))
    problems += _refused(loaded, ("load.collect",), lambda: read_probes(config.load.collect))
    problems += tls_problems(loaded, "gateway", "admin", "registration")
    problems += _refused(loaded, UPSTREAM_TLS, lambda: UpstreamTls(config.gateway))
    problems += _refused(loaded, ("gateway.pages",), lambda: StaticFiles(config.gateway.pages))
    if config.registration.port is not None:
        problems += _refused(
            loaded, ("registration.host", "registration.tokens_file"), lambda: check_guard(config.registration)
        )
    return problems


def _route_token_problems(loaded: Loaded) -> list[str]:
    """Return that a route asks for tokens, and there is no key."""
    token, routes = loaded.config.token, list(readable_routes(loaded.config.gateway.routes))
    return list(_refused(loaded, (ROUTES,), lambda: check_has_keys(routes, has_keys=token.has_key)))


def policy_problems(loaded: Loaded, *, joins: bool = False) -> list[str]:
    """Return why a policy of the gateway cannot be loaded, and which routes lead nowhere."""
    config = loaded.config
    policy = config.gateway.policy
    where = f"{POLICY} is {policy!r} ({loaded.origin(POLICY)}): "
    problems = [where + problem for problem in _told(lambda: Steering(policy, b"", load_score_function))]
    come_later = joins or config.static.backends_file or config.registration.port is not None or bool(config.engine.url)
    groups = None if come_later else groups_of_specs(config.static.backends)
    where = f"{ROUTES} ({loaded.origin(ROUTES)}): "
    return problems + [where + problem for problem in route_problems(config.gateway.routes, groups)]


def member_problems(loaded: Loaded) -> list[str]:
    """Return what the start of any member would refuse in its name, and in the settings of the engine."""
    config, engine = loaded.config, loaded.config.engine
    problems: list[str] = []
    if config.admin.enabled:
        problems += _refused(loaded, ADMIN_TOKENS, lambda: AdminTokens(config.admin))
    if config.member.name:
        problems += _refused(loaded, ("member.name",), lambda: check_name(config.member.name))
    if engine.url:
        problems += _refused(loaded, ("engine.url",), lambda: _check_url(config))
        problems += _refused(loaded, ("engine.cluster",), lambda: check_cluster(engine.cluster))
    # Without a secret, that of the system that runs here may be used.
    secrets = ("engine.secret", "engine.secret_file", "engine.previous_secret", "engine.previous_secret_file")
    if engine.secret or engine.secret_file:
        problems += _refused(loaded, secrets, lambda: read_secrets(engine))
    if engine.hash_secret or engine.hash_secret_file:
        problems += _refused(
            loaded, ("engine.hash_secret", "engine.hash_secret_file"), lambda: read_hash_secret(engine)
        )
    return problems


class _Nowhere:
    """A sink that receives nothing: the sources are read, and never run."""

    def update(self, source: str, offers: Mapping[NodeName, Offer], *, lost: Collection[NodeName] = ()) -> None:
        """Ignore what a source offers."""

    def change(
        self,
        source: str,
        offers: Mapping[NodeName, Offer],
        *,
        gone: Collection[NodeName] = (),
        lost: Collection[NodeName] = (),
    ) -> None:
        """Ignore what a source changes."""

    def report_problem(self, source: str, problem: str) -> None:
        """Ignore why a source cannot be read."""


def _check_url(config: Config) -> None:
    """Read the engine's URL, and the files of its TLS."""
    scheme, url = check_scheme(config.engine.url), whole_url(config.engine)
    if scheme in REDIS_SCHEMES:
        from ringway.engine.redis.url import read_url as read_redis_url

        redis = read_redis_url(url)
        redis.tls_files()
    elif scheme != "memory":
        from ringway.engine.nats.url import read_url as read_nats_url

        nats = read_nats_url(url)
        nats.tls_files()


def _refused(loaded: Loaded, paths: Collection[str], read: Callable[[], Any]) -> Iterator[str]:
    """Yield what `read` refuses, with the sources of those settings of `paths` that are given."""
    given = [f"{path} ({loaded.origin(path)})" for path in paths if path in loaded.given]
    where = f"{' and '.join(given) or next(iter(paths))}: "
    yield from (where + problem for problem in _told(read))


def _told(read: Callable[[], Any]) -> tuple[str, ...]:
    try:
        read()
    except ConfigError as error:
        return error.problems
    return ()

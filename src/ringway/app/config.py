"""All settings of Ringway's processes, composed from the components' own structs."""

import os
import typing
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Annotated

import msgspec

from ringway.admin.config import AdminConfig
from ringway.app.engine import EngineConfig, check_scheme, settled, whole_url
from ringway.app.field import Field, fields_of
from ringway.app.load import (
    CONFIG_FILE_ENV,
    DEFAULT_ORIGIN,
    Given,
    Layer,
    build,
    check_values,
    combine,
    read_environment,
    read_file,
    service_links,
)
from ringway.app.log_config import LogConfig
from ringway.app.member import MemberConfig
from ringway.app.state import JOINING, STATE_DIR_ENV, Running, find_running, state_dir
from ringway.app.together import settle
from ringway.app.up_config import UpConfig
from ringway.auth.config import SubscriptionTokenConfig, TokenConfig
from ringway.collect.config import LoadConfig
from ringway.core.balance.config import BalanceConfig
from ringway.errors import ConfigError, refuse
from ringway.gateway.config.gateway import GatewayConfig
from ringway.net import NamesConfig
from ringway.node.config.http_api import HttpApiConfig
from ringway.node.config.node import NodeConfig
from ringway.node.config.rpc import RpcConfig
from ringway.outbox.config import PostgresqlConfig
from ringway.sidecar.config import JoinConfig
from ringway.sources.eureka.config import EurekaConfig
from ringway.sources.kubernetes.config import KubernetesConfig
from ringway.sources.registration.config import RegistrationConfig


class StaticConfig(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The backends that the settings of a gateway name."""

    backends: Annotated[
        tuple[str, ...],
        msgspec.Meta(
            description="A WebSocket server of any kind to carry clients to: "
            "URL[,weight=2][,name=x][,check=/healthz][,check-host=app.example][,host=app.example]"
            "[,zone=a][,on-move=auto|close|reopen|never]"
            "[,close-code=1012][,restart-codes=1001+1011]. "
            "dns+ws://HOST:PORT takes all addresses of a name, dns+srv+ws://NAME its SRV records; "
            "kubernetes+ws://SERVICE.NAMESPACE:PORT the pods of a Service; eureka+http://HOST:PORT/eureka,app=NAME the "
            "instances of an application. With backends, a gateway needs no engine and no nodes; with an engine, all "
            "gateways share them.",
            extra={"flag": "backend"},
        ),
    ] = ()
    backends_file: Annotated[
        str,
        msgspec.Meta(
            description="A file that lists further backends, in TOML or JSON by its ending "
            "(docs/reference/backends-file.md). It is read again when it has changed, and on SIGHUP; a file that "
            "cannot be used changes nothing.",
            extra={"flag": "backends"},
        ),
    ] = ""

    @property
    def has_backends(self) -> bool:
        """True if the settings name backends."""
        return bool(self.backends or self.backends_file)


class Config(msgspec.Struct, frozen=True, kw_only=True):
    """All sections. A section's name is its table in TOML and a part of its environment variables."""

    engine: EngineConfig
    member: MemberConfig
    gateway: GatewayConfig
    static: StaticConfig
    load: LoadConfig
    node: NodeConfig
    http_api: HttpApiConfig
    rpc: RpcConfig
    postgresql: PostgresqlConfig
    token: TokenConfig
    subscription_token: SubscriptionTokenConfig
    balance: BalanceConfig
    admin: AdminConfig
    names: NamesConfig
    log: LogConfig
    up: UpConfig
    registration: RegistrationConfig
    join: JoinConfig
    kubernetes: KubernetesConfig
    eureka: EurekaConfig


SECTIONS: dict[str, type[msgspec.Struct]] = typing.get_type_hints(Config)


@cache
def all_fields() -> Mapping[str, Field]:
    """All settings, by their path `section.name`."""
    return {field.path: field for section, struct in SECTIONS.items() for field in fields_of(section, struct)}


@dataclass(frozen=True, slots=True)
class Loaded:
    """The effective settings, and the values that the sources gave."""

    config: Config
    given: Layer
    service_links: Sequence[str] = ()  # variables that look like settings and come from Kubernetes

    def origin(self, path: str) -> str:
        """The source of the value of the setting `path`."""
        return self.given[path].origin if path in self.given else DEFAULT_ORIGIN


Check = Callable[[Loaded], list[str]]
"""Returns the problems of settings as a whole, such as `app.start_check.start_problems`."""


def _nothing(_: Loaded) -> list[str]:
    return []


def load_config(
    *,
    flags: Layer | None = None,
    file: str | None = None,
    beneath: Layer | None = None,
    environ: Mapping[str, str] = os.environ,
    check: Check = _nothing,
) -> Loaded:
    """Return the settings: defaults, then `beneath`, the TOML file, the environment, and `flags`.

    Raise one `ConfigError` with every problem of the sources, every wrong value, and what `check` finds in those
    settings that can be read.
    """
    fields = all_fields()
    problems: list[str] = []
    given = combine(
        problems,
        lambda: beneath or {},
        lambda: read_file(file, environ, fields, problems),
        lambda: read_environment(environ, fields, problems),
        lambda: flags or {},
    )
    given = settle(given, fields, problems)
    sections = build(SECTIONS, check_values(given, fields, problems), given, fields, problems)
    config = Config(**sections)  # type: ignore[arg-type]  # `build` keeps the sections' types
    loaded = Loaded(config, given, service_links(environ))
    problems += check(loaded)
    refuse(problems)
    return loaded


def load_joined(
    *,
    flags: Layer | None = None,
    file: str | None = None,
    state: str | None = None,
    may_be_alone: bool = False,
    check: Check = _nothing,
) -> Loaded:
    """Return the settings of a process that joins a system: the system at `engine.url`, or the system that runs here.

    A gateway `may_be_alone` if no system is found, and backends can register at it.

    Raise `ConfigError` as `load_config` does, and if no system is found, or two are named.
    """
    loaded = load_config(flags=flags, file=file, check=check)
    if loaded.config.static.has_backends and not loaded.config.engine.url and not state:
        return loaded  # a gateway that is alone
    if loaded.config.engine.url and state and loaded.origin("engine.url").startswith("--"):
        raise ConfigError(f"{loaded.origin('engine.url')} and --state {state} name a system each; give one of them")
    if loaded.config.engine.url:
        check_scheme(loaded.config.engine.url)
        return _with_secrets_of_running(loaded, flags, file, state)
    directory = state_dir(state)
    running = find_running(directory)
    if running is None and may_be_alone and loaded.config.registration.port is not None and not state:
        return loaded  # a gateway that is alone, whose backends come by themselves
    if running is None:
        raise ConfigError(
            f"no system runs from {directory}; start one with `ringway up`, or name its engine: --engine "
            "nats://host:4222 (the setting engine.url)"
        )
    # An explicitly empty URL must not hide the system that was found.
    flags = {path: given for path, given in (flags or {}).items() if path != "engine.url"}
    joined = load_config(flags=flags, file=file, beneath=_engine_of(running, directory, ("url", *JOINING)))
    engine = settled(joined.config.engine, joined.config.engine.url)  # that system's URL says how to connect to it
    return Loaded(msgspec.structs.replace(joined.config, engine=engine), joined.given, joined.service_links)


def _with_secrets_of_running(loaded: Loaded, flags: Layer | None, file: str | None, state: str | None) -> Loaded:
    """Return `loaded`; if it has no secret, with the secrets of the system that runs here at the same engine."""
    engine = loaded.config.engine
    if engine.secret or engine.secret_file:
        return loaded
    directory = state_dir(state)
    running = running_at(engine, directory)
    if running is None:
        return loaded
    return load_config(flags=flags, file=file, beneath=_engine_of(running, directory, JOINING))


def running_at(engine: EngineConfig, directory: Path) -> Running | None:
    """Return the system that runs from `directory` if it is the system of `engine`, whose secrets members here use."""
    running = find_running(directory)
    same = running is not None and (running.engine_url, running.cluster) == (whole_url(engine), engine.cluster)
    return running if same else None


def _engine_of(running: Running, directory: Path, names: tuple[str, ...]) -> Layer:
    """Return the settings `names` of the engine of the system that runs from `directory`, and whether it is open."""
    origin = f"the running system ({directory / 'up.json'})"
    own = {f"engine.{name}": Given(getattr(running.engine, name), origin) for name in names}
    return own | {"node.insecure": Given(True, origin)} if running.insecure else own


__all__ = [
    "CONFIG_FILE_ENV",
    "Check",
    "Config",
    "Given",
    "Layer",
    "Loaded",
    "SECTIONS",
    "STATE_DIR_ENV",
    "all_fields",
    "load_config",
    "load_joined",
    "running_at",
]

"""All settings of Ringway's processes, composed from the components' own structs."""

import os
import typing
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from typing import Annotated

import msgspec

from ringway.admin.config import AdminConfig
from ringway.app.engine import EngineConfig, check_scheme, settled
from ringway.app.field import Field, fields_of
from ringway.app.load import (
    CONFIG_FILE_ENV,
    DEFAULT_ORIGIN,
    Given,
    Layer,
    build,
    check,
    combine,
    read_environment,
    read_file,
    service_links,
)
from ringway.app.log_config import LogConfig
from ringway.app.member import MemberConfig
from ringway.app.state import STATE_DIR_ENV, find_running, state_dir
from ringway.app.together import settle
from ringway.app.up_config import UpConfig
from ringway.collect.config import LoadConfig
from ringway.core.balance.config import BalanceConfig
from ringway.errors import ConfigError
from ringway.gateway.config.gateway import GatewayConfig
from ringway.net import NamesConfig
from ringway.node.config.node import NodeConfig


class StaticConfig(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The settings of a gateway without an engine."""

    backends: Annotated[
        tuple[str, ...],
        msgspec.Meta(
            description="A WebSocket server of any kind to carry clients to: "
            "URL[,weight=2][,name=x][,check=/healthz][,check-host=app.example][,host=app.example][,on-move=reopen]. "
            "With one or more, the gateway needs no engine and no nodes.",
            extra={"flag": "backend"},
        ),
    ] = ()


class Config(msgspec.Struct, frozen=True, kw_only=True):
    """One struct a section; the section's name is the table in TOML and part of the environment's names."""

    engine: EngineConfig
    member: MemberConfig
    gateway: GatewayConfig
    static: StaticConfig
    load: LoadConfig
    node: NodeConfig
    balance: BalanceConfig
    admin: AdminConfig
    names: NamesConfig
    log: LogConfig
    up: UpConfig


POLICY = "gateway.policy"

SECTIONS: dict[str, type[msgspec.Struct]] = typing.get_type_hints(Config)


@cache
def all_fields() -> Mapping[str, Field]:
    """Every setting there is, by its path `section.name`."""
    return {field.path: field for section, struct in SECTIONS.items() for field in fields_of(section, struct)}


@dataclass(frozen=True, slots=True)
class Loaded:
    """The effective settings, and what was given for them by whom."""

    config: Config
    given: Layer
    service_links: Sequence[str] = ()  # variables that look like settings and come from Kubernetes

    def origin(self, path: str) -> str:
        """Where the value of the setting `path` came from."""
        return self.given[path].origin if path in self.given else DEFAULT_ORIGIN

    def check_policy(self) -> None:
        """Raise `ConfigError` where the gateway's policy cannot be had. Only gateways need it, so only they ask."""
        from ringway.core.steering import Steering

        policy = self.config.gateway.policy
        try:
            Steering(policy, b"")
        except ConfigError as error:
            where = f"{POLICY} is {policy!r} ({self.origin(POLICY)}): "
            raise ConfigError(*(where + problem for problem in error.problems)) from None


def load_config(
    *,
    flags: Layer | None = None,
    file: str | None = None,
    beneath: Layer | None = None,
    environ: Mapping[str, str] = os.environ,
) -> Loaded:
    """Return the settings: defaults, then `beneath`, the TOML file, the environment, and `flags`.

    Raise one `ConfigError` with every problem of a source, and else with every wrong value.
    """
    fields = all_fields()
    given = combine(
        lambda: beneath or {},
        lambda: read_file(file, environ, fields),
        lambda: read_environment(environ, fields),
        lambda: flags or {},
    )
    given = settle(given, fields)
    sections = build(SECTIONS, check(given, fields))
    config = Config(**sections)  # type: ignore[arg-type]  # `build` keeps the sections' types
    return Loaded(config, given, service_links(environ))


def load_joined(*, flags: Layer | None = None, file: str | None = None, state: str | None = None) -> Loaded:
    """Return the settings of a process that joins a system: the one of `engine.url`, else the one that runs here.

    Raise `ConfigError` as `load_config` does, and where neither is found, or both are named.
    """
    loaded = load_config(flags=flags, file=file)
    if loaded.config.static.backends:
        return loaded
    if loaded.config.engine.url and state and loaded.origin("engine.url").startswith("--"):
        raise ConfigError(f"{loaded.origin('engine.url')} and --state {state} name a system each; give one of them")
    if loaded.config.engine.url:
        check_scheme(loaded.config.engine.url)
        return loaded
    directory = state_dir(state)
    running = find_running(directory)
    if running is None:
        raise ConfigError(
            f"no system runs from {directory}; start one with `ringway up`, or name its engine: --engine nats://host:4222"
        )
    origin = f"the running system ({directory / 'up.json'})"
    beneath = {
        "engine.url": Given(running.engine_url, origin),
        "engine.cluster": Given(running.cluster, origin),
        "engine.secret": Given(running.secret, origin),
    }
    # What says "empty" explicitly must not hide the system that was found.
    flags = {path: given for path, given in (flags or {}).items() if path != "engine.url"}
    joined = load_config(flags=flags, file=file, beneath=beneath)
    engine = settled(joined.config.engine, joined.config.engine.url)  # that system's URL says how to connect to it
    return Loaded(msgspec.structs.replace(joined.config, engine=engine), joined.given, joined.service_links)


__all__ = [
    "CONFIG_FILE_ENV",
    "Config",
    "Given",
    "Layer",
    "Loaded",
    "SECTIONS",
    "STATE_DIR_ENV",
    "all_fields",
    "load_config",
    "load_joined",
]

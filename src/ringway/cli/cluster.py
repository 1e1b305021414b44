"""The running system, as commands reach it: its engine and its members."""

import asyncio
import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import Protocol

import msgspec

from ringway.app.compose.identity import new_incarnation
from ringway.app.config import Loaded, load_config, load_joined
from ringway.app.engine import open_engine, read_keyring
from ringway.app.log import open_log
from ringway.app.lone_gateway import find_ended, find_gateways
from ringway.app.member import hear_members
from ringway.app.state import find_running, state_dir
from ringway.cli.admin_access import reach_admin
from ringway.cli.admin_token import read_admin_token
from ringway.cli.option import SystemChoice
from ringway.core.isolation import why_command_believes_nobody
from ringway.core.membership import MASS_LEASE_S, TICK_S
from ringway.errors import ConfigError, NoAnswer, RingwayError
from ringway.member.feed import Feed
from ringway.member.leader_call import ANSWER_S, call_drain
from ringway.member.sealed_engine import SealedEngine
from ringway.member.state_call import call_state
from ringway.net import configure
from ringway.ports import Calls
from ringway.protocol.order import DrainAnswer, DrainRequest, NodeConsent, SetState
from ringway.protocol.report import Report


class Access(Protocol):
    """How a command reaches the cluster: by its engine, or by the admin port of a gateway."""

    @property
    def bus(self) -> Calls:
        """Calls to members."""
        ...

    @property
    def up(self) -> bool:
        """True while the cluster can be reached."""
        ...


@asynccontextmanager
async def joined(
    system: SystemChoice, *, on_strangers: Callable[[Feed], None] | None = None
) -> AsyncIterator[tuple[Access, Feed]]:
    """Reach a running system, and hear its members: by the admin port that is named, by its engine, or by the admin
    port of the gateway that runs here without an engine.

    Raise `ConfigError` if members are heard, but no member is believed, after a call of `on_strangers`.
    """
    config_file, state, admin, token_file, ca_file, flags = system
    loaded = load_config(flags=flags, file=config_file)
    if admin and (state or loaded.origin("engine.url").startswith("--")):
        raise ConfigError(f"--admin {admin} and {'--state' if state else '--engine'} name a system each; give one")
    at = admin or _admin_of_lone_gateway(loaded, state)
    # A command shows its findings itself; of the engine's events, it shows only errors in between.
    with open_log(msgspec.structs.replace(loaded.config.log, level="error")):
        if at:
            configure(loaded.config.names)
            async with reach_admin(at, read_admin_token(token_file), ca_file or "") as access:
                yield access, access.members
            return
        config = load_joined(flags=flags, file=config_file, state=state).config
        keyring = read_keyring(config.engine)
        # A person waits at the terminal, so an engine that is away is reported at once.
        async with open_engine(msgspec.structs.replace(config.engine, wait_s=0), "command line") as engine:
            sealed = SealedEngine(engine, keyring, new_incarnation())
            members = await hear_members(engine, keyring)
            problem = why_command_believes_nobody(members.live, members.strangers, time.monotonic())
            if problem:
                if on_strangers is not None:
                    on_strangers(members)
                raise ConfigError(problem)
            yield sealed, members


def _admin_of_lone_gateway(loaded: Loaded, state: str | None) -> str:
    """Return the admin port of the gateway that runs here without an engine; empty if a system is meant.

    Raise `ConfigError` if several such gateways run, or if neither a system nor such a gateway runs.
    """
    if loaded.config.engine.url:
        return ""
    directory = state_dir(state)
    for_one = loaded.config.static.has_backends and not state
    if not for_one and find_running(directory) is not None:
        return ""
    found = find_gateways(directory)
    ended = "".join(f" The gateway at {each.url} has ended: start it again." for each in find_ended(directory))
    if len(found) > 1:
        listed = ", ".join(f"{each.admin_url} (of {each.url})" for each in found)
        raise ConfigError(f"{len(found)} gateways run here, each for itself; name one by --admin: {listed}")
    if for_one and not found:
        raise ConfigError(
            f"no gateway without an engine has noted itself in {directory}; name its admin port: "
            f"--admin http://host:8001, or its state directory by RINGWAY_STATE_DIR.{ended}".removesuffix(".")
        )
    if not found:
        raise ConfigError(
            f"no system runs from {directory}; start one with `ringway up`, name its engine (--engine "
            f"nats://host:4222), or the admin port of a gateway (--admin http://host:8001).{ended}".removesuffix(".")
        )
    return found[0].admin_url


def need_node(members: Feed, name: str) -> Report:
    """Return the report of the node `name`; raise `ConfigError` with the known nodes if it is not there."""
    report = members.node(name)
    if report is None:
        known = ", ".join(name for name in sorted(members.live) if members.node(name))
        doubted = f"; {len(members.strangers)} members are not believed: see `ringway nodes`"
        raise ConfigError(
            f"there is no node {name!r}; "
            + (f"there are {known}" if known else "no node is running")
            + (doubted if members.strangers else "")
        )
    return report


async def wait_for_node(access: Access, members: Feed, name: str, within_s: float = MASS_LEASE_S) -> Report:
    """Return the report of the node `name`, which was there before; raise `ConfigError` if it does not come back.

    It waits as long as a silent member counts as alive: on a busy machine reports are late, or missed.
    """
    deadline = time.monotonic() + within_s
    while (report := members.node(name)) is None and time.monotonic() < deadline:
        await asyncio.sleep(TICK_S)
        members.tick(engine_up=access.up)
    return report or need_node(members, name)


async def ask_node(access: Access, node: Report, request: SetState) -> None:
    """Return when `node` has consented; raise `RingwayError` if it refuses or does not answer."""
    answer = await call_state(access.bus, node, request, ANSWER_S)
    if not isinstance(answer, NodeConsent):
        raise RingwayError(f"{node.name} refused: {answer.why}")


async def ask_leader(access: Access, request: DrainRequest, patience_s: float = 0.0) -> DrainAnswer:
    """Return the leading balancer's answer about a drain that it has begun. Raise `RingwayError` if it refuses.

    If no balancer leads, a successor does in a few seconds: the query is repeated for `patience_s`.
    """
    deadline = time.monotonic() + patience_s
    while True:
        try:
            answer = await call_drain(access.bus, request, ANSWER_S)
            break
        except NoAnswer as error:
            if time.monotonic() >= deadline:
                raise RingwayError(f"{error}; `ringway drain` without --within asks the node itself") from None
        await asyncio.sleep(TICK_S)
    if answer.why:
        raise RingwayError(f"{answer.why}, or use --force" if request.within_s and not request.force else answer.why)
    return answer

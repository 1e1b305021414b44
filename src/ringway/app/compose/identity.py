"""The identity of a member: a unique incarnation, and a unique name."""

import asyncio
import secrets

from ringway.app.config import Config
from ringway.app.engine import open_engine
from ringway.app.member import free_name, take_name
from ringway.logger import bind
from ringway.ports import Engine
from ringway.protocol.keyring import Keyring
from ringway.protocol.name import check_name
from ringway.types import Incarnation, NodeName, Role

HEARD_S = 2.0
"""After this time every member has heard a report of this member, and so its name."""

SHUTDOWN_EXTRA_S = 5.0
"""Time that a shutdown may take in addition to the time that clients are given to end."""


def new_incarnation() -> Incarnation:
    """Return a unique incarnation; it is not 0, which stands for no member (`ticket.NO_BEARER`)."""
    return Incarnation(f"{1 + secrets.randbelow(2**32 - 1):08x}")


async def name_member(
    config: Config, engine: Engine, keyring: Keyring, role: Role, incarnation: Incarnation
) -> NodeName:
    """Take a name, and add it to every event in the log. Uses a separate connection to hear the members."""
    async with open_engine(config.engine, f"a name for {role} {incarnation}") as ears:
        name = await take_name(ears, keyring, engine.lease, config.member.name, role, incarnation)
    bind(process=name)
    return name


def name_alone(config: Config) -> NodeName:
    """Return the name of a gateway without an engine, which is alone, and add it to every event in the log."""
    name = check_name(config.member.name or "gateway")
    bind(process=name)
    return name


async def free_name_later(engine: Engine, name: NodeName, incarnation: Incarnation) -> None:
    """Release the lease of the name when every member has heard a report with it."""
    await asyncio.sleep(HEARD_S)
    await free_name(engine.lease, name, incarnation)
    await asyncio.Event().wait()

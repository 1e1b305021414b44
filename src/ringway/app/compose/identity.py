"""The identity of a member: its incarnation, and a name that no other member has."""

import asyncio
import secrets

from ringway.app.config import Config
from ringway.app.engine import open_engine
from ringway.app.member import free_name, take_name
from ringway.logger import bind
from ringway.ports import Engine
from ringway.types import Incarnation, NodeName, Role

HEARD_S = 2.0
"""After this long every member has reported, and its name is known by that."""

SHUTDOWN_EXTRA_S = 5.0
"""What a shutdown may take beyond the time that clients are given to end."""


def new_incarnation() -> Incarnation:
    """Return an incarnation that no other process has."""
    return Incarnation(secrets.token_hex(4))


async def name_member(config: Config, engine: Engine, role: Role, incarnation: Incarnation) -> NodeName:
    """Take a name, and let every event in the log carry it. Hearing who is there takes a connection of its own."""
    async with open_engine(config.engine, f"a name for {role} {incarnation}") as ears:
        name = await take_name(ears, engine.lease, config.member.name, role, incarnation)
    bind(process=name)
    return name


async def free_name_later(engine: Engine, name: NodeName, incarnation: Incarnation) -> None:
    """Give the lease of the name back once everybody has heard the member by it."""
    await asyncio.sleep(HEARD_S)
    await free_name(engine.lease, name, incarnation)
    await asyncio.Event().wait()

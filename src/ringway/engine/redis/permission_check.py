"""Permission check at the start: Redis must allow all commands of an engine."""

import asyncio
import secrets

from ringway.engine.redis import script
from ringway.engine.redis.broker import PLAIN
from ringway.engine.redis.command_connection import pack
from ringway.engine.redis.connection import RedisConnections
from ringway.engine.redis.names import Names
from ringway.errors import EngineAway, EngineUnsuitable

NO_ROOM = ("OOM", "MISCONF")
"""Error replies of a server that allows the command but has no room at the moment, such as when history fills it."""

CHECK_S = 5.0
KEPT_MS = 1000


async def check_permissions(connections: RedisConnections, names: Names) -> None:
    """Subscribe, store and publish under a new name. Raise `EngineUnsuitable`, which names the refused command."""
    tag = secrets.token_hex(8)
    channel = names.of("trial", tag)
    arrived = asyncio.Event()
    key, stream, known = names.of("trial-key", tag), names.of("trial-stream", tag), names.of("trial-known", tag)
    lineage = connections.shard_of(channel).lineage
    publish = connections.publish_word
    # The commands of the scripts, separately: if a script fails, Redis does not say which command it refuses.
    commands = (
        pack("SET", key, tag, "NX", "PX", KEPT_MS),
        pack("GET", key),
        pack("PEXPIRE", key, KEPT_MS),
        pack("HSET", known, "e", tag),
        pack("HMGET", known, "e", "l"),
        pack("XADD", stream, "1-0", "d", tag),
        pack("XTRIM", stream, "MINID", 1),
        pack("XLEN", stream),
        pack("XRANGE", stream, "-", "+"),
        pack("XREVRANGE", stream, "+", "-"),
        pack("DEL", key, stream, known),
        pack("TIME"),
        pack("PUBSUB", connections.count_word, channel),
        pack(publish, channel, PLAIN),
        script.append((stream, known, channel, key), lineage, tag, 1, KEPT_MS, b"", publish, KEPT_MS),
        pack("DEL", key, stream, known),
    )
    try:
        async with asyncio.timeout(CHECK_S):
            await connections.subscribe(channel, lambda _: arrived.set())
            for command in commands:
                await _check_command(connections, channel, command)
            await arrived.wait()
    except TimeoutError:
        raise EngineAway(f"Redis did not carry a message within {CHECK_S:g} s; retry") from None
    except EngineUnsuitable as error:
        allowed = f"{names.prefix}:{names.cluster}:*"
        raise EngineUnsuitable(
            f"{error} (an access control list must allow +@all, or +@read +@write +@pubsub +@scripting +@connection "
            f"+info +role +cluster|slots, on ~{allowed} and &{allowed})"
        ) from None
    finally:
        connections.unsubscribe(channel)


async def _check_command(connections: RedisConnections, channel: bytes, command: bytes) -> None:
    """Execute `command`. A lack of room is recorded, and does not prevent the start: other commands need no room."""
    try:
        await connections.execute(channel, command)
    except EngineUnsuitable as error:
        if not any(code in str(error) for code in NO_ROOM):
            raise
        connections.condition.on_refused("history", error)

"""Tries out, once at the start, whether Redis lets us do all that an engine must."""

import asyncio
import secrets

from ringway.engine.redis import script
from ringway.engine.redis.broker import PLAIN
from ringway.engine.redis.command_connection import pack
from ringway.engine.redis.connection import Wire
from ringway.engine.redis.names import Names
from ringway.errors import EngineAway, EngineUnsuitable

FULL = ("OOM", "MISCONF")
"""Refusals of a server that lets us, and has no room at the moment: it is full of history, say."""

TRIAL_S = 5.0
KEPT_MS = 1000


async def try_out(wire: Wire, names: Names) -> None:
    """Subscribe, store and publish under a name of our own. Raise `EngineUnsuitable` that names what is refused."""
    tag = secrets.token_hex(8)
    channel = names.of("trial", tag)
    came = asyncio.Event()
    key, stream, known = names.of("trial-key", tag), names.of("trial-stream", tag), names.of("trial-known", tag)
    line = wire.shard_of(channel).line
    publish = wire.publish_word
    # What the scripts do, one by one: of a script Redis does not say which command it refuses.
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
        pack("PUBSUB", wire.count_word, channel),
        pack(publish, channel, PLAIN),
        script.append((stream, known, channel, key), line, tag, 1, KEPT_MS, b"", publish, KEPT_MS),
        pack("DEL", key, stream, known),
    )
    try:
        async with asyncio.timeout(TRIAL_S):
            await wire.subscribe(channel, lambda _: came.set())
            for command in commands:
                await _allowed(wire, channel, command)
            await came.wait()
    except TimeoutError:
        raise EngineAway(f"Redis did not carry a message within {TRIAL_S:g} s; retry") from None
    except EngineUnsuitable as error:
        allowed = f"{names.prefix}:{names.cluster}:*"
        raise EngineUnsuitable(
            f"{error} (an access control list must allow +@all, or +@read +@write +@pubsub +@scripting +@connection "
            f"+info +role +cluster|slots, on ~{allowed} and &{allowed})"
        ) from None
    finally:
        wire.untap(channel)


async def _allowed(wire: Wire, channel: bytes, command: bytes) -> None:
    """Carry out `command`. That there is no room for it is no reason not to start: what needs none goes on."""
    try:
        await wire.ask(channel, command)
    except EngineUnsuitable as error:
        if not any(code in str(error) for code in FULL):
            raise
        wire.condition.on_refused("history", error)

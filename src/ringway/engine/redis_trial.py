"""Tries out, once at the start, whether Redis lets us do all that an engine must."""

import asyncio
import secrets

from ringway.engine import redis_script
from ringway.engine.redis_link import pack
from ringway.engine.redis_name import Names
from ringway.engine.redis_wire import Wire
from ringway.errors import EngineAway, EngineUnsuitable

TRIAL_S = 5.0
KEPT_MS = 1000


async def try_out(wire: Wire, names: Names) -> None:
    """Subscribe, store and publish under a name of our own. Raise `EngineUnsuitable` that names what is refused."""
    tag = secrets.token_hex(8)
    channel = names.of("trial", tag)
    came = asyncio.Event()
    keys = names.of("trial-stream", tag), names.of("trial-known", tag), channel, names.of("trial-key", tag)
    line = wire.shard_of(channel).line
    publish = b"SPUBLISH" if wire.sharded else b"PUBLISH"
    try:
        async with asyncio.timeout(TRIAL_S):
            await wire.subscribe(channel, lambda _: came.set())
            await wire.ask(channel, redis_script.append(keys, line, tag, 1, KEPT_MS, b"", publish, KEPT_MS))
            await wire.ask(channel, redis_script.read(keys[:2], line, tag, 1, KEPT_MS, "", 1, 1, 1))
            await came.wait()
            await wire.ask(channel, pack("DEL", *keys))
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

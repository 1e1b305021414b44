"""Publishing: with history through it, else straight to the subscribers (PROTOCOL.md P-4.7)."""

import asyncio
from typing import TYPE_CHECKING

from ringway.errors import CommandError, EngineError, Unconfirmed
from ringway.node.commands.errors import engine_failed, refuse
from ringway.protocol.channel import check_channel
from ringway.protocol.codec import EMPTY, encode
from ringway.protocol.command import PublishRequest, RawPublication, Reply
from ringway.protocol.envelope import PUBLICATION
from ringway.protocol.errorcode import BAD_REQUEST, INTERNAL, NOT_AVAILABLE, TOO_MANY_REQUESTS, command_error

if TYPE_CHECKING:
    from ringway.node.connection.connection import Connection
    from ringway.node.shared import Shared

KEY_BYTES_MAX = 128
"""The longest idempotency key."""


async def publish(shared: "Shared", connection: "Connection", command_id: int, request: PublishRequest) -> bytes:
    """Carry out one publish command; answered when the engine has taken the publication.

    Publications of one connection are begun in the order of its commands: nothing is awaited before the engine is.
    """
    key = request.idempotency_key
    try:
        channel = check_channel(request.channel, shared.config.channel_bytes_max)
        if not bytes(request.data):
            raise command_error(BAD_REQUEST, "data is missing; it may be any JSON")
        retention = shared.namespaces.of(channel).retention
        _check_key(key, kept=retention is not None)
        if not connection.allowance.publish(shared.clock(), channel):
            limit = shared.config.new_channels_per_s
            raise command_error(TOO_MANY_REQUESTS, f"a client may publish to {limit:g} channels a second that are new")
        body = encode(RawPublication(data=request.data, info=connection.info))
        async with asyncio.timeout(shared.config.engine_deadline_s):
            payload = shared.origin.seal(PUBLICATION, body)
            if retention is None:
                await shared.engine.broker.publish(channel, payload)
            else:
                await shared.engine.history.append(channel, payload, retention, key)
    except CommandError as error:
        return refuse(shared, command_id, error)
    except (Unconfirmed, TimeoutError):  # asking the client to try again could double the publication, but for its key
        unknown = CommandError(INTERNAL, "the engine did not confirm; it may be published", temporary=bool(key))
        return refuse(shared, command_id, unknown)
    except EngineError as error:
        return refuse(shared, command_id, engine_failed(error))
    shared.stats.published += 1
    return encode(Reply(id=command_id, publish=EMPTY))


def _check_key(key: str, *, kept: bool) -> None:
    if not key:
        return
    if not kept:
        raise command_error(NOT_AVAILABLE, "an idempotency key needs history, and this channel keeps none")
    size = len(key.encode(errors="replace"))
    if size > KEY_BYTES_MAX or not key.isprintable() or not key.isascii():
        raise command_error(
            BAD_REQUEST, f"an idempotency key of {size} bytes; give 1 to {KEY_BYTES_MAX} printable characters of ASCII"
        )

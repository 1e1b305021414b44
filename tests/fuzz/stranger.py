"""Stranger at the engine: it has its credentials, records what members send each other, and sends it mutated."""

import asyncio
import random
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import NamedTuple, Protocol

import nats
import redis.asyncio
from nats.aio.msg import Msg

RECORDED_MAX = 500


class Message(NamedTuple):
    """A message of the engine, as a stranger reads and writes it."""

    name: str  # subject of NATS, channel of Redis
    payload: bytes
    reply: str = ""
    headers: dict[str, str] | None = None


class Stranger(Protocol):
    """Reads all messages of a cluster, and writes any."""

    recorded: list[Message]

    async def send(self, message: Message) -> None:
        """Send a message."""
        ...

    async def flush(self) -> None:
        """Return when the engine has all messages."""
        ...


class NatsStranger:
    """A stranger with an account of NATS."""

    def __init__(self, client: nats.NATS) -> None:
        self._client = client
        self.recorded: list[Message] = []

    async def record(self, message: Msg) -> None:
        """Record one message."""
        if len(self.recorded) < RECORDED_MAX:
            self.recorded.append(Message(message.subject, message.data, message.reply, message.headers))

    async def send(self, message: Message) -> None:
        """Send a message, with reply subject and headers if it has some."""
        await self._client.publish(message.name, message.payload, message.reply, message.headers)

    async def flush(self) -> None:
        """Return when NATS has all messages."""
        await self._client.flush()


class RedisStranger:
    """A stranger with a user of Redis."""

    def __init__(self, client: "redis.asyncio.Redis[bytes]") -> None:
        self._pipeline = client.pipeline(transaction=False)
        self.recorded: list[Message] = []

    async def send(self, message: Message) -> None:
        """Send a message with the next flush."""
        self._pipeline.publish(message.name, message.payload)

    async def flush(self) -> None:
        """Send the messages, and return when Redis has them."""
        await self._pipeline.execute()

    async def record(self, pubsub: "redis.asyncio.client.PubSub") -> None:
        """Record what comes, until cancelled."""
        async for message in pubsub.listen():
            if message["type"] == "pmessage" and len(self.recorded) < RECORDED_MAX:
                self.recorded.append(Message(message["channel"].decode(), message["data"]))


@asynccontextmanager
async def stranger_at(url: str, cluster: str) -> AsyncIterator[Stranger]:
    """Give a stranger that records what the members of `cluster` send."""
    if url.startswith("nats"):
        client = await nats.connect(url)
        at_nats = NatsStranger(client)
        subscription = await client.subscribe(f"rw.{cluster}.>", cb=at_nats.record)
        try:
            yield at_nats
        finally:
            await subscription.unsubscribe()
            await client.close()
        return
    async with redis.asyncio.from_url(url) as connection, connection.pubsub() as pubsub:
        await pubsub.psubscribe(f"rw:{cluster}:*")
        at_redis = RedisStranger(connection)
        recording = asyncio.create_task(at_redis.record(pubsub))
        try:
            yield at_redis
        finally:
            recording.cancel()


def mutated(recorded: list[Message], rng: random.Random) -> Message:
    """Return a message that is random, or was made of recorded ones."""
    message, other = rng.choice(recorded), rng.choice(recorded)
    payload = message.payload
    at = rng.randrange(len(payload) + 1)
    match rng.randrange(7):
        case 0:
            payload = rng.randbytes(rng.randrange(200))
        case 1:
            payload = payload[:at]
        case 2:
            payload = payload[:at] + rng.randbytes(rng.randrange(1, 9)) + payload[at:]
        case 3 if payload:
            flipped = bytearray(payload)
            flipped[at % len(flipped)] ^= 1 << rng.randrange(8)
            payload = bytes(flipped)
        case 4:
            payload = payload[:at] + other.payload[at:]
        case 5:
            payload = other.payload  # proven, and elsewhere
    headers = message.headers
    if headers and rng.random() < 0.3:
        headers = {key: rng.choice(["", "-1", "x", "9" * 30, str(rng.randrange(1 << 62))]) for key in headers}
    return Message(message.name, payload, rng.choice([message.reply, other.reply, ""]), headers)

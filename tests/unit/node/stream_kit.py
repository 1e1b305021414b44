"""A node's streams without a node: over a memory engine, with subscribers that only record."""

import json
import time
from typing import Any

from ringway.core.hub import Hub
from ringway.engine.memory.engine import MemoryEngine, MemoryHub
from ringway.node.channels.streams import Streams
from ringway.node.config.namespace import Namespaces
from ringway.node.config.node import NodeConfig
from ringway.node.connection.outbox import Outbox
from ringway.node.connection.subscriber import HEADROOM
from ringway.node.stats import NodeStats
from ringway.ports import Page
from ringway.protocol.envelope import JOIN, PUBLICATION, Origin
from ringway.protocol.keyring import Keyring
from ringway.types import Channel, Incarnation

KEPT, PLAIN = Channel("kept:a"), Channel("plain:a")
NAMESPACES = ("default:history_size=0", "kept:history_size=100", "short:history_size=3")


class Sink:
    """A subscriber; one that is closed leaves all its channels."""

    def __init__(self, node: "Node") -> None:
        self.node = node
        self.seen: list[Any] = []
        self.closed: tuple[int, str] | None = None

    def send(self, opcode: int, frame: bytearray, offset: int) -> None:
        self.seen += data_of([bytes(line) for line in frame[HEADROOM:].split(b"\n")])

    def close(self, code: int, reason: str = "") -> None:
        self.closed = code, reason
        for channel in self.node.hub.channels():
            self.node.leave(channel, self)


class Node:
    """The streams of one node."""

    def __init__(self, engine_hub: MemoryHub, number: int = 1, **settings: Any) -> None:
        self.engine: MemoryEngine = engine_hub.open()
        self.hub: Any = Hub()
        self.watchers: Any = Hub()
        self.stats = NodeStats()
        self.now = 0.0
        config = NodeConfig(**{"namespaces": NAMESPACES, **settings})
        self.namespaces = Namespaces(config.namespaces)
        outbox = Outbox(config.outbox_bytes_max, self.stats)
        self.streams = Streams(
            self.engine, self.namespaces, self.hub, self.watchers, outbox, config, self.stats, lambda: self.now
        )
        self.engine.broker.attach(self.streams.fanout.deliver)
        self.engine.on_return.append(self.streams.on_return)
        self.origin = Origin(Keyring(b"a secret of tests"), Incarnation(f"{number:08x}"), time.time)

    async def join(self, channel: Channel) -> Sink:
        await self.streams.obtain(channel)
        self.streams.flush(channel)
        return self.put(channel, Sink(self))

    def put(self, channel: Channel, sink: Sink) -> Sink:
        self.hub.add(channel, sink, sink.send)
        return sink

    def leave(self, channel: Channel, sink: Sink) -> None:
        if self.hub.remove(channel, sink):
            self.streams.release(channel)

    async def publish(self, channel: Channel, *data: object) -> None:
        retention = self.namespaces.of(channel).retention
        for one in data:
            payload = self.origin.seal(PUBLICATION, channel, json.dumps({"data": one}).encode())
            if retention is None:
                await self.engine.broker.publish(channel, payload)
            else:
                await self.engine.history.append(channel, payload, retention)

    async def note(self, channel: Channel, client: str) -> None:
        body = json.dumps({"user": "", "client": client}).encode()
        await self.engine.broker.publish(channel, self.origin.seal(JOIN, channel, body))

    async def history(self, channel: Channel) -> Page:
        retention = self.namespaces.of(channel).retention
        assert retention is not None
        return await self.engine.history.read(channel, retention, 0, 1000)


def data_of(pushes: list[bytes] | None) -> list[Any]:
    """What each push is about: the data of a publication, or the client that came or went."""
    found: list[Any] = []
    for push in pushes or []:
        inner = json.loads(push)["push"]
        note = inner.get("join") or inner.get("leave")
        found.append(note["info"]["client"] if note else inner["pub"]["data"])
    return found

"""With any cuts, and any slow peer, a relay carries every byte once and in order from node to node."""

import asyncio
from typing import Any, cast

from hypothesis import given
from hypothesis import strategies as st

from ringway.gateway.config.gateway import GatewayConfig
from ringway.gateway.proxy.migration import Migration
from ringway.gateway.proxy.migration_start import follow_close
from ringway.gateway.proxy.relay import Relay
from ringway.gateway.proxy.upstream import Answer
from ringway.gateway.stats import GatewayStats
from ringway.protocol.backend import OnMove
from ringway.protocol.frame import CLOSE, FrameTracker, client_frame, close_payload, server_frame
from ringway.protocol.move import Move
from ringway.types import NodeName

MOVE = Move(NodeName("n"), "A" * 44)
CUT = server_frame(CLOSE, close_payload(1012, MOVE.reason()))
ANSWER = client_frame(CLOSE, close_payload(1012))


class Line(asyncio.Transport):
    """A transport whose peer is the test: it may be slow, and sends what `ready` holds."""

    def __init__(self) -> None:
        super().__init__()
        self.protocol: Any = None
        self.reading = False
        self.slow = False
        self.ready = b""  # of the peer's stream, what was not read
        self.taken = b""  # what the peer has read
        self._waiting = b""
        self._paused = False

    def set_protocol(self, protocol: asyncio.BaseProtocol) -> None:
        self.protocol = protocol

    def set_write_buffer_limits(self, high: int | None = None, low: int | None = None) -> None:
        assert high == 0
        self._mark()

    def get_write_buffer_size(self) -> int:
        return len(self._waiting)

    def is_closing(self) -> bool:
        return False

    def pause_reading(self) -> None:
        self.reading = False

    def resume_reading(self) -> None:
        self.reading = True

    def write(self, data: bytes) -> None:  # type: ignore[override]
        if self.slow:
            self._waiting += data
            self._mark()
        else:
            self.taken += data

    def _mark(self) -> None:
        if self._waiting and not self._paused:
            self._paused = True
            self.protocol.pause_writing()

    def hurry(self) -> None:
        """Let the peer read again."""
        self.slow = False
        self.taken, self._waiting = self.taken + self._waiting, b""
        if self._paused:
            self._paused = False
            self.protocol.resume_writing()

    def arrive(self, size: int) -> bool:
        """Hand the protocol up to `size` bytes, if it reads; return whether anything has happened."""
        if not self.reading or not self.ready:
            return False
        piece, self.ready = self.ready[:size], self.ready[size:]
        self.protocol.data_received(piece)
        return True


class Carried:
    """A relay, its client, and the nodes it has come to; an owner that opens the next node when the test says so."""

    def __init__(self, client_stream: bytes, node_streams: list[bytes]) -> None:
        self.client = Line()
        self.client.ready = client_stream
        self.streams = [*(stream + CUT for stream in node_streams[:-1]), node_streams[-1]]
        self.nodes: list[Line] = []
        self.migration: Migration | None = None
        self.stats = GatewayStats()
        owner = cast(Any, self)
        self.relay = Relay(OnMove.FOLLOW, None, GatewayConfig(), self.stats, owner, extensions=False)

    @property
    def departed(self) -> bool:
        return self.migration is not None

    def on_node_closed(self, relay: Relay) -> bool:
        return follow_close(relay, GatewayConfig(), cast(Any, self))

    def open_next(self, migration: Migration, *, planned: bool) -> None:
        assert (migration.relay, migration.move, planned, self.departed) == (self.relay, MOVE, False, False)
        self.migration = migration

    def close_left(self, transport: Line, last: bytes) -> None:
        transport.protocol = asyncio.Protocol()
        transport.write(last)

    def on_relay_over(self, relay: Relay) -> None:
        raise AssertionError("the relay has ended")

    def begin(self, early: int, rest: int) -> None:
        node = self._next()
        ahead, self.client.ready = self.client.ready[:early], self.client.ready[early:]
        first, node.ready = node.ready[:rest], node.ready[rest:]
        self.relay.start(self.client, node, ahead, first)

    def open(self, rest: int, *, slow: bool) -> None:
        """Let the next node answer, with the first bytes of its stream in the same piece."""
        migration, self.migration = self.migration, None
        if migration is not None:
            node = self._next()
            node.slow = slow
            first, node.ready = node.ready[:rest], node.ready[rest:]
            migration.on_opened(Answer(node, rest=first), cast(Any, None))

    def _next(self) -> Line:
        node = Line()
        node.ready = self.streams[len(self.nodes)]
        self.nodes.append(node)
        return node

    def check(self) -> None:
        """Nobody is read for whom there is no room."""
        client, node = self.client, self.nodes[-1]
        if self.departed:
            assert not client.reading
        else:
            assert not (client.reading and node.get_write_buffer_size())
            assert not (node.reading and client.get_write_buffer_size())

    def finish(self) -> None:
        """Let everybody read and send until nothing is left."""
        while True:
            for line in (self.client, *self.nodes):
                line.hurry()
            if self.departed:
                self.open(3, slow=False)
            elif not sum(line.arrive(1000) for line in (self.client, *self.nodes)):
                return


@st.composite
def streams(draw: st.DrawFn, masked: bool) -> list[bytes]:
    """Some messages, each in one or more frames, with control frames in any place between frames."""
    made: list[bytes] = []
    for fragments in draw(st.lists(st.integers(1, 3), max_size=5)):
        message = b""
        for index in range(fragments):
            payload = draw(st.sampled_from([b"", b"a", b"b" * 7, b"c" * 130]))
            first = (0x01 if index == 0 else 0x00) | (0x80 if index == fragments - 1 else 0)
            for byte, body in [(0x89, b"?")] * draw(st.integers(0, 1)) + [(first, payload)]:
                head = server_frame(byte & 15, body)
                head = head[: len(head) - len(body)]
                message += bytes((byte, head[1] | (0x80 * masked))) + head[2:] + b"mask" * masked + body
        made.append(message)
    return made


ACTIONS = st.one_of(
    st.tuples(st.just("client"), st.integers(1, 300)),
    st.tuples(st.just("node"), st.integers(1, 300)),
    st.tuples(st.sampled_from(["slow client", "quick client", "slow node", "quick node"]), st.just(0)),
    st.tuples(st.sampled_from(["open", "open slow"]), st.sampled_from([0, 1, 20, 60, 200])),
)


@given(
    streams(masked=True),
    st.lists(streams(masked=False), min_size=1, max_size=4),
    st.lists(ACTIONS, max_size=60),
    st.integers(0, 40),
    st.sampled_from([0, 1, 20, 60, 200]),
)
def test_every_byte_arrives_once_and_in_order(
    said: list[bytes], told: list[list[bytes]], actions: list[tuple[str, int]], early: int, rest: int
) -> None:
    async def run() -> Carried:
        relay = Carried(b"".join(said), [b"".join(messages) for messages in told])
        relay.begin(early, rest)
        relay.check()
        for action, size in actions:
            match action:
                case "client":
                    relay.client.arrive(size)
                case "node":
                    relay.nodes[-1].arrive(size)
                case "slow client":
                    relay.client.slow = True
                case "quick client":
                    relay.client.hurry()
                case "slow node":
                    relay.nodes[-1].slow = True
                case "quick node":
                    relay.nodes[-1].hurry()
                case _:
                    relay.open(size, slow="slow" in action)
            relay.check()
        relay.finish()
        return relay

    relay = asyncio.run(run())
    assert len(relay.nodes) == len(told)
    assert relay.client.taken == b"".join(b"".join(messages) for messages in told)
    for node in relay.nodes[:-1]:
        assert node.taken.endswith(ANSWER)
    taken = [node.taken.removesuffix(ANSWER) for node in relay.nodes[:-1]] + [relay.nodes[-1].taken]
    assert b"".join(taken) == b"".join(said)
    for part in taken:
        tracker = FrameTracker(masked=True)
        tracker.feed(part)
        assert tracker.between_messages
    assert not relay.stats.cut
    assert relay.stats.relays_moving == 0

"""Open relay: two ends that pass bytes to each other, and the end of both connections.

Bytes pass at once, in one call from reading to writing (`relay_end`): without a task, a queue or a copy. Close frames
come here first. A close frame of the node may lead to the next node instead of the end; the relay's owner decides that,
and then a migration (`gateway.proxy.migration`) judges events before the relay does.

Each of the two connections ends by the table of `protocol.closing`: earlier messages of its peer are passed on, bytes
after a close frame are dropped, and no peer is sent two close frames. The first event decides the end of a relay:

    client's end of stream     passed on; the node has `close_answer_s` to come to its end
    node's end of stream       passed on after a close frame; without one the client is told 1012 "node lost"
    a connection is lost       the other connection is ended, after its outstanding writes
    close frames both ways     TCP must end within `linger_s`
    client breaks the framing  the node is told 1002; when it has answered, or after `linger_s`, so is the client
    node breaks the framing    the client is told 1012, the node 1002
    node left, gateway stops   the client is told 1012, the node 1001
    its token ends      the client is told 3005, or 3500 if the token is revoked; the node 1001
    client is sent off         the node is told 1001; after its last message the client is told `close_code`
    a migration fails          the client is told 1012; if it has closed before, its close is answered

The relay writes a close frame only between two frames; if a frame is half sent, the stream ends without a close frame.
"""

import asyncio
from typing import Protocol

from ringway.core.address import EXEMPT
from ringway.core.move_candidates import PINNED
from ringway.core.on_move import FIRST_BYTES, spoken_protocol
from ringway.errors import ProtocolError
from ringway.gateway.config.gateway import GatewayConfig
from ringway.gateway.proxy.relay_end import RelayEnd
from ringway.gateway.stats import GatewayStats
from ringway.net.deadline import Deadline
from ringway.net.half_close import end_stream
from ringway.protocol.backend import Backend, OnMove
from ringway.protocol.close import GOING_AWAY, PROTOCOL_ERROR, SERVICE_RESTART
from ringway.protocol.closing import ClosingAction, ClosingEvent, ClosingState
from ringway.protocol.deflate import inflated
from ringway.protocol.frame import (
    BINARY,
    CLOSE,
    COMPRESSED,
    TEXT,
    FrameTracker,
    beginning_of,
    client_frame,
    close_answer,
    close_payload,
    server_frame,
)

_TO_NODE = {
    "stop": client_frame(CLOSE, close_payload(GOING_AWAY)),
    "idle": client_frame(CLOSE, close_payload(GOING_AWAY)),
    "node_lost": client_frame(CLOSE, close_payload(GOING_AWAY)),
    "node_frame": client_frame(CLOSE, close_payload(PROTOCOL_ERROR)),
    "client_frame": client_frame(CLOSE, close_payload(PROTOCOL_ERROR)),
    "moved": client_frame(CLOSE, close_payload(GOING_AWAY)),
    "token": client_frame(CLOSE, close_payload(GOING_AWAY)),
    "drained": client_frame(CLOSE, close_payload(GOING_AWAY)),
    "move": b"",  # the node has closed itself, and would read a frame as its client's answer
}
"""The frame for the node when the relay is cut, by cause, unless the node was sent a close frame before."""


class RelayOwner(Protocol):
    """The requirements of a relay on its owner."""

    def on_node_closed(self, relay: "Relay") -> bool:
        """Judge the node's close frame; return True if the relay goes on at a next node, or was cut by the owner."""

    def on_node_lost(self, relay: "Relay") -> bool:
        """Judge the node's end without a close frame; return as `on_node_closed` does."""

    def on_relay_over(self, relay: "Relay") -> None:
        """Forget `relay`: both of its connections are over. Called once."""


class NodeChange(Protocol):
    """A migration under way, which judges events before the relay does: True if the event is dealt with."""

    def settles_close(self, end: RelayEnd) -> bool:
        """Judge a whole close frame of `end`."""

    def settles_end(self, end: RelayEnd) -> bool:
        """Judge the end of the stream of `end`."""

    def settles_breach(self, end: RelayEnd) -> bool:
        """Judge that the peer of `end` broke the framing."""

    def on_deadline(self) -> None:
        """Act on the passed deadline."""

    def finish(self) -> None:
        """End the migration: the relay was ended."""

    def read_held_close(self) -> bytes | None:
        """Return the client's close frame if the held data contains it; call it once, after `finish`."""


class Relay:
    """One proxied WebSocket, from the 101 until both connections are over; then its owner is called, once.

    `on_move` is the action when its node restarts or is lost, and `upgrade` the packed request for the next node.
    """

    __slots__ = (
        "_breach", "_config", "_cut", "_extensions", "_over", "_owner", "_timer", "address", "backend", "came_at",
        "client", "heard_at", "is_promised", "key", "migration", "node", "on_move", "opened_at", "reopenings", "stats",
        "upgrade",
    )  # fmt: skip

    def __init__(
        self,
        on_move: OnMove,
        upgrade: bytes | None,
        config: GatewayConfig,
        stats: GatewayStats,
        owner: RelayOwner,
        address: str = EXEMPT,
        key: bytes = b"",
        *,
        extensions: bool,
    ) -> None:
        self.address = address  # the address that its client counts for
        self.key = key  # the affinity key of its client; empty: no key
        self.on_move = on_move
        self.backend: Backend | None = None  # the backend as described when the WebSocket was opened there
        self.upgrade = upgrade
        self.stats = stats
        self.migration: NodeChange | None = None
        self.is_promised = False  # its client is being promised a place elsewhere, and will be told to come back
        self.came_at: float | None = None  # when it was moved to its present node as planned, on the owner's clock
        self.opened_at = 0.0  # at its present node, on the owner's clock
        self.heard_at = 0.0  # the time of the last carried bytes, on the same clock, as of the last count
        self.reopenings = 0  # recent attempts
        self._config = config
        self._owner = owner
        self._timer: Deadline | None = None
        self._breach: ProtocolError | None = None  # the client's breach; it is told when the node has answered
        self._cut = False
        self._over = False
        self._extensions = extensions

    @property
    def is_open(self) -> bool:
        """True if no end has begun to close."""
        return not self._cut and self.client.state is ClosingState.OPEN and self.node.state is ClosingState.OPEN

    # What `ringway.member.holder` asks of a connection.

    @property
    def moved_at(self) -> float | None:
        """The time at which it was moved to its present node; None if it was not, `PINNED` if it is never moved."""
        return PINNED if self.on_move is OnMove.NEVER else self.came_at

    @property
    def close_code(self) -> int:
        """The close code that tells its client to come back."""
        return self.backend.close_code if self.backend is not None else SERVICE_RESTART

    @property
    def setup_cost(self) -> int:
        """0 if its client does not notice a move, 1 if the client is closed for it."""
        return int(self.on_move is not OnMove.REOPEN)

    @property
    def is_usable(self) -> bool:
        """True if no end has begun to close."""
        return self.is_open

    @property
    def is_connected(self) -> bool:
        """True if it is usable: a relay begins when its client is connected."""
        return self.is_open

    @property
    def is_moving(self) -> bool:
        """True if it is about to leave its node, or is between two nodes."""
        return self.migration is not None or self.is_promised

    @property
    def may_leave(self) -> bool:
        """True if it can be moved to a different backend now."""
        return self.on_move in (OnMove.CLOSE, OnMove.REOPEN) and not self.is_moving and self.is_open

    def start(
        self, client: asyncio.Transport, node: asyncio.Transport, early: bytes, rest: bytes, *, guess: bool = False
    ) -> None:
        """Relay between the two from now on; `early` came from the client, `rest` from the node, with their heads.

        `guess`: the client's first message may show that it cannot be moved unseen.
        """
        self.client = RelayEnd(self, client, FrameTracker(masked=True, extensions=self._extensions))
        self.client.unheard = guess
        self.join_node(node, early, rest)

    def join_node(self, transport: asyncio.Transport, early: bytes, rest: bytes) -> None:
        """Relay between the client and the node at `transport` from now on, as `start` does."""
        client = self.client
        node = self.node = RelayEnd(self, transport, FrameTracker(masked=False, extensions=self._extensions))
        client.join(node)
        node.join(client)
        if early:
            client.data_received(early)
        if rest and not self._cut:
            node.data_received(rest)
        for end in (client, node):
            waits = end.other.transport.get_write_buffer_size() > 0  # reading goes on when the buffer is written
            if not (self._cut or waits or end.stopped or end.is_lost or end.transport.is_closing()):
                end.transport.resume_reading()

    def count_carried(self) -> bool:
        """Add the bytes carried since the last count to the statistics; return True if there were any."""
        moved = self.client.carried + self.node.carried > 0
        self.stats.bytes_to_node += self.client.carried
        self.stats.bytes_to_client += self.node.carried
        self.client.carried = self.node.carried = 0
        return moved

    # Reports of the ends.

    def on_first_data(self, data: bytes) -> bool:
        """Judge if the client's first message begins a state; return False if `data` does not begin a message."""
        opcode, message = beginning_of(data, FIRST_BYTES)
        if opcode not in (TEXT, BINARY):
            return False
        if data[0] & COMPRESSED and self._extensions:
            message = inflated(message, FIRST_BYTES)
        if spoken_protocol(message, binary=opcode == BINARY) is not None:
            self.on_move, self.upgrade = OnMove.CLOSE, None
        return True

    def on_last_frame(self, end: RelayEnd) -> None:
        """Judge the last frame of `end`, which was held back: a whole close frame, or a broken frame."""
        if end.tracker.breach is None:
            self._on_close(end)
        else:
            self._on_breach(end, end.tracker.breach)

    def on_stream_end(self, end: RelayEnd, action: ClosingAction) -> None:
        """Pass the end of one stream on to the other end. `action` is the table's action for it."""
        if self._cut or (self.migration is not None and self.migration.settles_end(end)):
            return
        other = end.other
        if self._breach is not None and (end is self.node or end.is_lost):
            self._close_for_breach(self._breach)
            return
        if end is self.node and action is ClosingAction.REPORT_LOSS and other.state is ClosingState.OPEN:
            if not self._owner.on_node_lost(self):
                self.cut(SERVICE_RESTART, "node lost", "node_lost")
            return
        if other.ended or end.is_lost:
            self._wind_up()
            return
        if not other.transport.is_closing():
            if end_stream(other.transport):
                other.finished = True
            else:
                other.transport.close()
        self._bound_end()

    def on_reset(self, end: RelayEnd) -> None:
        """End the other connection: the connection of `end` is lost, after its stream had ended."""
        if self._cut:
            return
        if self._breach is not None:
            self._close_for_breach(self._breach)
        else:
            self._wind_up()

    def on_end_gone(self) -> None:
        """Finish when both connections are over."""
        if self._over or not (self.client.is_lost and self.node.is_lost):
            return
        self._over = True
        self._end_timer()
        self.count_carried()
        self._owner.on_relay_over(self)

    def _on_close(self, end: RelayEnd) -> None:
        """Pass the close frame of `end` on, unless it leads to a next node."""
        end.step(ClosingEvent.CLOSE)
        if self.migration is not None and self.migration.settles_close(end):
            return
        if self._breach is not None:
            self._close_for_breach(self._breach)
            return
        may_lead_on = end is self.node and self.client.state is ClosingState.OPEN
        if not (may_lead_on and self._owner.on_node_closed(self)):
            self.pass_close(end)

    def _on_breach(self, end: RelayEnd, error: ProtocolError) -> None:
        """End the relay because the peer of `end` broke the framing."""
        action = end.step(ClosingEvent.BREACH)
        if self.migration is not None and self.migration.settles_breach(end):
            return
        if end is self.node:
            self.cut(SERVICE_RESTART, "the node broke the protocol", "node_frame")
        elif action is ClosingAction.FAIL and self.migration is None and self._send_close_to_node(error):
            self._breach = error  # the client may still get answers to its earlier messages
            self.set_deadline(self._config.linger_s)
        else:
            self._close_for_breach(error)

    def _send_close_to_node(self, error: ProtocolError) -> bool:
        """Tell the node of the client's `error`; return False if a close frame was sent to it before."""
        if self.node.step(ClosingEvent.CLOSE_HERE) is not ClosingAction.SEND_CLOSE:
            return False
        self.node.transport.write(client_frame(CLOSE, close_payload(PROTOCOL_ERROR, str(error))))
        return True

    def _close_for_breach(self, error: ProtocolError) -> None:
        self.cut(PROTOCOL_ERROR, str(error), "client_frame")

    # From node to node.

    def begin_migration(self, migration: NodeChange) -> None:
        """Let `migration` judge events first, until `end_migration`."""
        self.stats.relays_moving += 1
        self.migration = migration

    def end_migration(self) -> NodeChange | None:
        """End the migration, and return it; None if there is none."""
        migration, self.migration = self.migration, None
        if migration is not None:
            migration.finish()
            self.stats.relays_moving -= 1
            self._end_timer()
        return migration

    # Ending it.

    def pass_close(self, end: RelayEnd, instead: bytes = b"") -> None:
        """Pass the close frame of `end` on, or `instead` in its place, and set the deadline of the rest."""
        frame = instead or end.tracker.close
        assert frame is not None
        if end.other.step(ClosingEvent.CLOSE_HERE) is ClosingAction.SEND_CLOSE:
            end.carried += len(frame)
            end.out.write(frame)
        self._bound_end()

    def cut(self, code: int, reason: str, cause: str, why: str = "") -> None:
        """End the relay now: tell the client the reason, and cut off the node. `why`: why a migration has failed."""
        if self._cut:
            return
        self._cut = True
        self.stats.cut[cause] += 1
        goodbye = server_frame(CLOSE, close_payload(code, reason))
        migration = self.end_migration()
        if why or (migration is not None and cause != "moved"):
            self.stats.moves_failed[why or cause] += 1
        if migration is not None:
            said = migration.read_held_close()
            goodbye = server_frame(CLOSE, close_answer(said)) if said is not None else goodbye
        self.node.see_off(_TO_NODE[cause])
        self.client.see_off(goodbye)
        self.set_deadline(self._config.linger_s)

    def abort(self) -> None:
        """End both connections at once."""
        self.client.transport.abort()
        self.node.transport.abort()

    def set_deadline(self, delay_s: float) -> None:
        """Set the deadline of the present state to `delay_s` from now; an end has longer while its peer still reads."""
        self._end_timer()
        ends = () if self.migration is not None else (self.client.transport, self.node.transport)
        self._timer = Deadline(delay_s, ends, self._on_deadline)

    def _wind_up(self) -> None:
        """End both connections after their outstanding writes, without close frames."""
        self._cut = True
        self.node.see_off(b"")
        self.client.see_off(b"")
        self.set_deadline(self._config.linger_s)

    def _bound_end(self) -> None:
        both = self.client.state is ClosingState.CLOSED and self.node.state is ClosingState.CLOSED
        self.set_deadline(self._config.linger_s if both else self._config.close_answer_s)

    def _end_timer(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def _on_deadline(self) -> None:
        self._timer = None
        if self.migration is not None:
            self.migration.on_deadline()
            return
        if self._breach is not None and not self._cut:
            self._close_for_breach(self._breach)
            return
        if not self._cut:
            self._cut = True
            self.stats.cut["deadline"] += 1
        self.abort()

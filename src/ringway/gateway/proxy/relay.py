"""The open relay: two ends that pass their bytes on to each other, and how it ends.

Bytes pass as they come, in one call from reading to writing (`relay_end`): no task, no queue of ours, no copy. Close
frames come here first. A close frame of the node may lead to another node instead of the end; its owner decides that,
and a migration (`gateway.proxy.migration`) then judges what happens before the relay does.

Each of the two connections comes to its end by the table of `protocol.closing`: what its peer sent before is passed on,
what comes after a close frame is dropped, and no peer is sent two close frames. How a relay ends, by what is seen
first:

    client's end of stream     passed on; the node has `close_answer_s` to come to its end
    node's end of stream       passed on after a close frame, else the client is told 1012 "node lost"
    a connection is lost       the other connection is ended, after what is still to be written to it
    close frames both ways     TCP must end within `linger_s`
    client breaks the framing  the node is told 1002; when it has answered, or after `linger_s`, so is the client
    node breaks the framing    the client is told 1012, the node 1002
    node left, gateway stops   the client is told 1012, the node 1001
    a migration fails          the client is told 1012; if it has closed meanwhile, its close is answered

A close frame of ours is written only where no frame is half sent; elsewhere the stream ends without a close frame.
"""

import asyncio
from typing import Protocol

from ringway.core.address import EXEMPT
from ringway.errors import ProtocolError
from ringway.gateway.cluster.backends import OnMove
from ringway.gateway.config.gateway import GatewayConfig
from ringway.gateway.proxy.relay_end import RelayEnd
from ringway.gateway.proxy.upgrade_request import UpgradeRequest
from ringway.gateway.stats import GatewayStats
from ringway.net.deadline import Deadline
from ringway.net.half_close import end_stream
from ringway.protocol.close import GOING_AWAY, PROTOCOL_ERROR, SERVICE_RESTART
from ringway.protocol.closing import ClosingAction, ClosingEvent, ClosingState
from ringway.protocol.frame import CLOSE, FrameTracker, client_frame, close_answer, close_payload, server_frame

_TO_NODE = {
    "stop": client_frame(CLOSE, close_payload(GOING_AWAY)),
    "idle": client_frame(CLOSE, close_payload(GOING_AWAY)),
    "node_lost": client_frame(CLOSE, close_payload(GOING_AWAY)),
    "node_frame": client_frame(CLOSE, close_payload(PROTOCOL_ERROR)),
    "client_frame": client_frame(CLOSE, close_payload(PROTOCOL_ERROR)),
    "move": b"",  # it has closed itself, and would read this as its client's answer
}
"""What a node is told when the relay is cut, by cause, unless it was sent a close frame before."""


class RelayOwner(Protocol):
    """What a relay asks of its owner."""

    def on_node_closed(self, relay: "Relay") -> bool:
        """Judge the node's close frame; return True if the relay goes on elsewhere, or was cut because it cannot."""

    def on_node_lost(self, relay: "Relay") -> bool:
        """Judge the node's end without a close frame; return as `on_node_closed` does."""

    def on_relay_over(self, relay: "Relay") -> None:
        """Forget `relay`: both of its connections are over. Called once."""


class NodeChange(Protocol):
    """A migration under way, which judges what happens before the relay does: True if nothing is left to do."""

    def settles_close(self, end: RelayEnd) -> bool:
        """Judge a whole close frame of `end`."""

    def settles_end(self, end: RelayEnd) -> bool:
        """Judge the end of the stream of `end`."""

    def settles_breach(self, end: RelayEnd) -> bool:
        """Judge that the peer of `end` broke the framing."""

    def on_deadline(self) -> None:
        """Act on the passed deadline."""

    def finish(self) -> None:
        """Have no part in the relay any more."""

    def read_held_close(self) -> bytes | None:
        """Return the client's close frame if it is in what was held; to be asked once, after `finish`."""


class Relay:
    """One proxied WebSocket, from the 101 until both connections are over; then its owner is told, once.

    `on_move` says what becomes of it when its node restarts or is lost, and `upgrade` what to ask the next node for.
    """

    __slots__ = (
        "_breach", "_config", "_cut", "_extensions", "_over", "_owner", "_timer", "address", "client", "heard_at",
        "migration", "node", "on_move", "opened_at", "reopenings", "stats", "upgrade",
    )  # fmt: skip

    def __init__(
        self,
        on_move: OnMove,
        upgrade: UpgradeRequest | None,
        config: GatewayConfig,
        stats: GatewayStats,
        owner: RelayOwner,
        address: str = EXEMPT,
        *,
        extensions: bool,
    ) -> None:
        self.address = address  # of its client, as it is counted
        self.on_move = on_move
        self.upgrade = upgrade
        self.stats = stats
        self.migration: NodeChange | None = None
        self.opened_at = 0.0  # at its present node, on the owner's clock
        self.heard_at = 0.0  # when something was carried, on the same clock: as of the last count
        self.reopenings = 0  # recent attempts
        self._config = config
        self._owner = owner
        self._timer: Deadline | None = None
        self._breach: ProtocolError | None = None  # of the client, which is told when the node has answered
        self._cut = False
        self._over = False
        self._extensions = extensions

    @property
    def is_open(self) -> bool:
        """Whether neither end has begun to close."""
        return not self._cut and self.client.state is ClosingState.OPEN and self.node.state is ClosingState.OPEN

    def start(self, client: asyncio.Transport, node: asyncio.Transport, early: bytes, rest: bytes) -> None:
        """Relay between the two from now on; `early` came from the client, `rest` from the node, with their heads."""
        self.client = RelayEnd(self, client, FrameTracker(masked=True, extensions=self._extensions))
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
            waits = end.other.transport.get_write_buffer_size() > 0  # then reading goes on when it is written
            if not (self._cut or waits or end.stopped or end.is_lost or end.transport.is_closing()):
                end.transport.resume_reading()

    def count_carried(self) -> bool:
        """Add what was carried since the last count to the statistics; return whether it was anything."""
        moved = self.client.carried + self.node.carried > 0
        self.stats.bytes_to_node += self.client.carried
        self.stats.bytes_to_client += self.node.carried
        self.client.carried = self.node.carried = 0
        return moved

    # What the ends report.

    def on_last_frame(self, end: RelayEnd) -> None:
        """Judge the last frame of `end`, which was held back: a whole close frame, or a broken one."""
        if end.tracker.breach is None:
            self._on_close(end)
        else:
            self._on_breach(end, end.tracker.breach)

    def on_stream_end(self, end: RelayEnd, action: ClosingAction) -> None:
        """Pass the end of one stream on to the other end. `action` is what the table says about it."""
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
        """End the other connection: that of `end` is lost, after its stream had ended."""
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
        """Pass the close frame of `end` on, unless it leads to another node."""
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
        """End the relay because the peer of `end` sent what is no WebSocket."""
        action = end.step(ClosingEvent.BREACH)
        if self.migration is not None and self.migration.settles_breach(end):
            return
        if end is self.node:
            self.cut(SERVICE_RESTART, "the node broke the protocol", "node_frame")
        elif action is ClosingAction.FAIL and self.migration is None and self._send_close_to_node(error):
            self._breach = error  # the client may still be owed answers to what it sent before
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
        """Let `migration` judge what happens first, until `end_migration`."""
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

    def pass_close(self, end: RelayEnd) -> None:
        """Pass the close frame of `end` on, and bound the time that is left."""
        frame = end.tracker.close
        assert frame is not None
        if end.other.step(ClosingEvent.CLOSE_HERE) is ClosingAction.SEND_CLOSE:
            end.carried += len(frame)
            end.out.write(frame)
        self._bound_end()

    def cut(self, code: int, reason: str, cause: str, why: str = "") -> None:
        """End the relay now: tell the client why, and cut off the node. `why` a migration has failed, if it has."""
        if self._cut:
            return
        self._cut = True
        self.stats.cut[cause] += 1
        goodbye = server_frame(CLOSE, close_payload(code, reason))
        migration = self.end_migration()
        if migration is not None or why:
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
        """End both connections, after what is still to be written to them: no close frame is due."""
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

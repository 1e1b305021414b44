"""The open relay: two transports, two frame trackers, and how it ends, or goes on at another node.

Bytes pass as they come, in one call from reading to writing (`relay_end`): no task, no queue of ours, no copy. Close
frames come here first. One that says where the session goes on, or that a backend restarts whose WebSockets may be
reopened, begins a crossing (`gateway.proxy.migration`); all others are passed on.

Each of the two connections comes to its end by the table of `protocol.closing`: what its peer sent before is passed on,
what comes after a close frame is dropped, none is sent two close frames. How a relay ends, by what is seen first:

    client's end of stream     passed on; the node has `close_answer_s` to come to its end
    node's end of stream       passed on after a close frame, else the client is told 1012 "node lost"
    a connection is lost       the other one is ended, after what is still to be written to it
    close frames both ways     TCP must end within `linger_s`
    client breaks the framing  the node is told 1002; when it has answered, or after `linger_s`, so is the client
    node breaks the framing    the client is told 1012, the node 1002
    node left, gateway stops   the client is told 1012, the node 1001
    a crossing fails           the client is told 1012, or is answered, where it has closed meanwhile

A close frame of ours can only go where no frame is half sent; elsewhere the stream ends without one.
"""

import asyncio
from collections.abc import Callable
from typing import Protocol

import structlog

from ringway.core.address import EXEMPT
from ringway.core.migration import MigrationEvent, MigrationState
from ringway.errors import ProtocolError
from ringway.gateway.cluster.backends import OnMove
from ringway.gateway.config.gateway import GatewayConfig
from ringway.gateway.proxy.migration import Crossing
from ringway.gateway.proxy.relay_end import Side
from ringway.gateway.proxy.upgrade_request import Wish
from ringway.gateway.proxy.upstream import Answer
from ringway.gateway.stats import Stats
from ringway.net.deadline import Deadline
from ringway.net.half_close import end_stream
from ringway.protocol.close import GOING_AWAY, PROTOCOL_ERROR, SERVICE_RESTART
from ringway.protocol.closing import ClosingAction, ClosingEvent, ClosingState
from ringway.protocol.frame import (
    CLOSE,
    FrameTracker,
    client_frame,
    close_answer,
    close_of,
    close_payload,
    server_frame,
)
from ringway.protocol.move import Move, read_move

_log = structlog.get_logger()

_TO_NODE = {
    "stop": client_frame(CLOSE, close_payload(GOING_AWAY)),
    "idle": client_frame(CLOSE, close_payload(GOING_AWAY)),
    "node_lost": client_frame(CLOSE, close_payload(GOING_AWAY)),
    "node_frame": client_frame(CLOSE, close_payload(PROTOCOL_ERROR)),
    "client_frame": client_frame(CLOSE, close_payload(PROTOCOL_ERROR)),
    "move": b"",  # it has closed itself, and would take this for its client's answer
}
"""What a node is told when the relay is cut, by cause, unless it was sent a close frame before."""


class Keeper(Protocol):
    """Who keeps the tunnels: what they ask of it."""

    def depart(self, tunnel: "Tunnel", move: Move | None, *, planned: bool) -> None:
        """Have the next node asked for the WebSocket of `tunnel`, and tell it `opened`, or `fail`."""

    def part(self, transport: asyncio.Transport, last: bytes) -> None:
        """Take the connection to a node over that was left, and send it `last`."""

    def over(self, tunnel: "Tunnel") -> None:
        """Forget `tunnel`: both of its connections are over."""


class Tunnel:
    """One proxied WebSocket, from the 101 until both connections are over; then its keeper is told, once.

    `on_move` says what becomes of it when its node restarts or is lost, and `wish` what to ask another one for.
    """

    __slots__ = (
        "_breach", "_config", "_cut", "_extensions", "_keeper", "_over", "_timer", "address", "client", "crossing",
        "heard_at", "node", "on_move", "opened_at", "reopenings", "stats", "wish",
    )  # fmt: skip

    def __init__(
        self,
        on_move: OnMove,
        wish: Wish | None,
        config: GatewayConfig,
        stats: Stats,
        keeper: Keeper,
        address: str = EXEMPT,
        *,
        extensions: bool,
    ) -> None:
        self.address = address  # of its client, as it is counted
        self.on_move = on_move
        self.wish = wish
        self.stats = stats
        self.crossing: Crossing | None = None
        self.opened_at = 0.0  # at its present node, on the keeper's clock
        self.heard_at = 0.0  # when something was carried, on the same: as of the last count
        self.reopenings = 0  # attempts of late
        self._config = config
        self._keeper = keeper
        self._timer: Deadline | None = None
        self._breach: ProtocolError | None = None  # of the client, which is told when the node has answered
        self._cut = False
        self._over = False
        self._extensions = extensions

    @property
    def is_opening(self) -> bool:
        """Whether it waits for the next node."""
        return self.crossing is not None and self.crossing.state is MigrationState.OPENING

    def open(self, client: asyncio.Transport, node: asyncio.Transport, early: bytes, rest: bytes) -> None:
        """Relay between the two from now on; `early` came from the client, `rest` from the node, with their heads."""
        self.client = Side(self, client, FrameTracker(masked=True, extensions=self._extensions))
        self._join(node, early, rest)

    def _join(self, transport: asyncio.Transport, early: bytes, rest: bytes) -> None:
        client = self.client
        node = self.node = Side(self, transport, FrameTracker(masked=False, extensions=self._extensions))
        client.join(node)
        node.join(client)
        if early:
            client.data_received(early)
        if rest and not self._cut:
            node.data_received(rest)
        for side in (client, node):
            waits = side.other.transport.get_write_buffer_size() > 0  # then reading goes on when it is written
            if not (self._cut or waits or side.stopped or side.lost or side.transport.is_closing()):
                side.transport.resume_reading()

    def count(self) -> bool:
        """Add what was carried since the last count to the statistics; return whether it was anything."""
        moved = self.client.carried + self.node.carried > 0
        self.stats.bytes_to_node += self.client.carried
        self.stats.bytes_to_client += self.node.carried
        self.client.carried = self.node.carried = 0
        return moved

    # What the sides tell.

    def over(self, side: Side) -> None:
        """Take note that the stream of `side` says nothing more: a close frame has come, or a rule was broken."""
        if side.tracker.breach is None:
            self._closed(side)
        else:
            self._broken(side, side.tracker.breach)

    def ended(self, side: Side, action: ClosingAction) -> None:
        """Pass the end of one side's stream on to the other. `action` is what the table says about it."""
        if self._cut or (self.crossing is not None and self.crossing.ended(side)):
            return
        other = side.other
        if self._breach is not None and (side is self.node or side.lost):
            self._tell_breach(self._breach)
            return
        if side is self.node and action is ClosingAction.REPORT_LOSS and other.state is ClosingState.OPEN:
            if not self._reopens():
                self.cut(SERVICE_RESTART, "node lost", "node_lost")
            return
        if other.ended or side.lost:
            self._wind_up()
            return
        if not other.transport.is_closing():
            if end_stream(other.transport):
                other.finished = True
            else:
                other.transport.close()
        self._bound_end()

    def lost(self, side: Side) -> None:
        """End the other connection: `side`, whose stream had ended before, is lost."""
        if self._cut:
            return
        if self._breach is not None:
            self._tell_breach(self._breach)
        else:
            self._wind_up()

    def side_lost(self) -> None:
        """Take note that a connection is over; when both are, so is the tunnel."""
        if self._over or not (self.client.lost and self.node.lost):
            return
        self._over = True
        self._end_timer()
        self.count()
        self._keeper.over(self)

    def _closed(self, side: Side) -> None:
        """Take a whole close frame of `side`, which was held back: pass it on, unless it leads to another node."""
        side.on(ClosingEvent.CLOSE)
        if self.crossing is not None and self.crossing.closed(side):
            return
        if self._breach is not None:
            self._tell_breach(self._breach)
        elif side is self.client or self.client.state is not ClosingState.OPEN or not self._leads_on():
            self._pass_close(side)

    def _broken(self, side: Side, error: ProtocolError) -> None:
        """End the relay because `side` sent what is no WebSocket."""
        action = side.on(ClosingEvent.BREACH)
        if self.crossing is not None and self.crossing.broken(side):
            return
        if side is self.node:
            self.cut(SERVICE_RESTART, "the node broke the protocol", "node_frame")
        elif (
            action is ClosingAction.FAIL
            and self.crossing is None
            and self.node.on(ClosingEvent.CLOSE_HERE) is ClosingAction.SEND_CLOSE
        ):
            self._breach = error  # the client may still be owed answers to what it sent before
            self.node.transport.write(client_frame(CLOSE, close_payload(PROTOCOL_ERROR, str(error))))
            self.deadline(self._config.linger_s)
        else:
            self._tell_breach(error)

    def _tell_breach(self, error: ProtocolError) -> None:
        self.cut(PROTOCOL_ERROR, str(error), "client_frame")

    def _pass_close(self, side: Side) -> None:
        """Pass on the close frame of `side`, and bound the time that is left."""
        frame = side.tracker.close
        assert frame is not None
        if side.other.on(ClosingEvent.CLOSE_HERE) is ClosingAction.SEND_CLOSE:
            side.carried += len(frame)
            side.out.write(frame)
        self._bound_end()

    def _bound_end(self) -> None:
        both = self.client.state is ClosingState.CLOSED and self.node.state is ClosingState.CLOSED
        self.deadline(self._config.linger_s if both else self._config.close_answer_s)

    # From node to node.

    def leave(self, still: Callable[[], bool] | None = None) -> None:
        """Go on at another backend at a quiet moment, since this one is to be left: `still` says whether it is then.

        Nothing happens where that cannot be.
        """
        ending = self._cut or self.client.state is not ClosingState.OPEN or self.node.state is not ClosingState.OPEN
        if self.on_move is OnMove.REOPEN and self.crossing is None and not ending:
            self._cross(MigrationEvent.LEAVE, still=still)

    def opened(self, answer: Answer) -> None:
        """Go on at the node that has given this good `answer`; only while `is_opening`."""
        assert self.crossing is not None
        self.crossing.opened(answer)

    def failed(self, why: str) -> None:
        """Take note that no next node was had; only while `is_opening`."""
        assert self.crossing is not None
        self.crossing.on(MigrationEvent.FAILED, why)

    def _leads_on(self) -> bool:
        """Go on at another node if the close frame of this one says so; return whether that is settled."""
        frame = self.node.tracker.close
        assert frame is not None
        try:
            code, reason = close_of(frame)
        except ProtocolError:
            return False
        if code != SERVICE_RESTART:
            return False
        if self.on_move is not OnMove.FOLLOW:
            return self._reopens()
        move = read_move(reason)
        if move is None:
            return False
        if self.node.tracker.between_messages:
            self._cross(MigrationEvent.MOVED, move)
        else:
            self.fail("message")
        return True

    def _reopens(self) -> bool:
        """Go on at another backend, if that is wanted here, after this one was lost; return whether that is settled."""
        if self.on_move is not OnMove.REOPEN:
            return False
        if self.client.tracker.between_messages and self.node.tracker.between_messages:
            self._cross(MigrationEvent.NODE_OVER)
        else:
            self.fail("message")
        return True

    def _cross(self, event: MigrationEvent, move: Move | None = None, still: Callable[[], bool] | None = None) -> None:
        self.stats.relays_moving += 1
        self.crossing = Crossing(self, self._config, move, still)
        self.client.transport.set_protocol(self.crossing)
        self.crossing.on(event)

    def _end_crossing(self) -> Crossing | None:
        crossing, self.crossing = self.crossing, None
        if crossing is not None:
            crossing.end()
            self.stats.relays_moving -= 1
            self._end_timer()
        return crossing

    # What a crossing does.

    def part(self, last: bytes, move: Move | None, *, planned: bool = False) -> None:
        """Leave the node, telling it `last`, and have the next one asked."""
        self.count()
        node = self.node
        ended, node.ended, node.finished, node.state = node.ended, True, True, ClosingState.GONE
        if ended:
            node.transport.abort()
        else:
            self._keeper.part(node.transport, last)
        self._keeper.depart(self, move, planned=planned)

    def join_next(self, answer: Answer, held: bytes) -> None:
        """Relay on, between the client and the node that gave `answer`; `held` goes there first."""
        self._end_crossing()
        self.client.stopped = False
        self._join(answer.transport, held, answer.rest)

    def stay(self) -> None:
        """Relay on as before."""
        self._end_crossing()
        self.client.join(self.node)

    def close_with_client(self) -> None:
        """Take the client's close frame for the answer to the node's, and answer it in the node's place."""
        self._end_crossing()
        self.stats.moves_failed["client"] += 1
        self.client.join(self.node)
        frame = self.client.tracker.close
        assert frame is not None
        if self.client.on(ClosingEvent.CLOSE_HERE) is ClosingAction.SEND_CLOSE:
            self.client.transport.write(server_frame(CLOSE, close_answer(frame)))
        self._pass_close(self.client)

    def fail(self, why: str) -> None:
        """End the relay because it cannot be carried on at another node."""
        _log.info("a websocket could not be carried on at another node", cause=why)
        self.cut(SERVICE_RESTART, "node lost", "move", why)

    # Ending it.

    def cut(self, code: int, reason: str, cause: str, why: str = "") -> None:
        """End the relay now: tell the client why, and cut off the node. `why` a crossing has failed, if it has."""
        if self._cut:
            return
        self._cut = True
        self.stats.cut[cause] += 1
        goodbye = server_frame(CLOSE, close_payload(code, reason))
        crossing = self._end_crossing()
        if crossing is not None or why:
            self.stats.moves_failed[why or cause] += 1
        if crossing is not None:
            said = crossing.held_close()
            goodbye = server_frame(CLOSE, close_answer(said)) if said is not None else goodbye
        self.node.see_off(_TO_NODE[cause])
        self.client.see_off(goodbye)
        self.deadline(self._config.linger_s)

    def _wind_up(self) -> None:
        """End both connections, after what is still to be written to them: there is nothing more to be said."""
        self._cut = True
        self.node.see_off(b"")
        self.client.see_off(b"")
        self.deadline(self._config.linger_s)

    def abort(self) -> None:
        """End both connections at once."""
        self.client.transport.abort()
        self.node.transport.abort()

    def deadline(self, delay_s: float) -> None:
        """Let the present state of things last for `delay_s` more; an end, while what was sent still arrives."""
        self._end_timer()
        ends = () if self.crossing is not None else (self.client.transport, self.node.transport)
        self._timer = Deadline(delay_s, ends, self._expire)

    def _end_timer(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def _expire(self) -> None:
        self._timer = None
        if self.crossing is not None:
            self.crossing.expired()
            return
        if self._breach is not None and not self._cut:
            self._tell_breach(self._breach)
            return
        if not self._cut:
            self._cut = True
            self.stats.cut["deadline"] += 1
        self.abort()

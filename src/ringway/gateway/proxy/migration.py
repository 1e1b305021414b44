"""Migration of one relay from its node to the next: carries out the actions of `core.migration`.

It replaces the client's end until the relay goes on, or until the client is closed so that it comes back by itself.
`migration_start` says when a migration begins.
"""

import asyncio
from collections.abc import Callable
from typing import Protocol

from ringway.core.load import NodeLoad
from ringway.core.migration import (
    AwaitBoundary,
    AwaitQuiet,
    CloseClient,
    CloseWithClient,
    FailMigration,
    HoldClient,
    JoinNext,
    LeaveNode,
    MigrationAction,
    MigrationEvent,
    MigrationLimit,
    MigrationMachine,
    MigrationState,
    SayGoodbye,
    SetDeadline,
    StayAtNode,
    node_over,
)
from ringway.gateway.config.gateway import GatewayConfig
from ringway.gateway.proxy.quiet_watch import QuietWatch
from ringway.gateway.proxy.relay import Relay
from ringway.gateway.proxy.relay_end import RelayEnd
from ringway.gateway.proxy.send_off import SendOff
from ringway.gateway.proxy.upstream import Answer
from ringway.logger import get_logger
from ringway.protocol.backend import OnMove
from ringway.protocol.close import GOING_AWAY, SERVICE_RESTART
from ringway.protocol.closing import ClosingAction, ClosingEvent
from ringway.protocol.frame import CLOSE, client_frame, close_answer, close_of, close_payload, server_frame
from ringway.protocol.move import Move

_GOODBYE = client_frame(CLOSE, close_payload(GOING_AWAY))

_log = get_logger()


class NodeOpener(Protocol):
    """The requirements of a migration on its owner."""

    def open_next(self, migration: "Migration", *, planned: bool) -> None:
        """Open the next node for the relay, and report it by `on_opened` or `on_failed`.

        `planned`: the relay chose the moment of leaving the old node.
        """

    def close_left(self, transport: asyncio.Transport, last: bytes) -> None:
        """Own the connection to the node that was left, and write `last` to it."""


class Migration(asyncio.Protocol):
    """The migration of `relay` to its next node, in place of the client's end.

    `move` is the move in the node's close frame; None without a session to follow. `wanted` returns True while the
    relay must leave the node. `send_off` is the planned move to a named backend; None for other causes.
    """

    __slots__ = (
        "_answer", "_config", "_held", "_machine", "_node", "_opener", "_wanted", "_watch", "move", "relay",
        "send_off",
    )  # fmt: skip

    def __init__(
        self,
        relay: Relay,
        config: GatewayConfig,
        opener: NodeOpener,
        move: Move | None = None,
        wanted: Callable[[], bool] | None = None,
        send_off: SendOff | None = None,
    ) -> None:
        self.send_off = send_off
        self.relay = relay
        self.move = move
        self._config = config
        self._opener = opener
        self._machine = MigrationMachine(closes=relay.on_move is OnMove.CLOSE)
        self._held = b""  # the client's data for the next node
        self._answer: Answer | None = None
        self._node: NodeLoad | None = None  # the node at which the relay goes on
        self._wanted = wanted
        self._watch: QuietWatch | None = None

    @property
    def is_opening(self) -> bool:
        """True if the relay waits for its next node."""
        return self._machine.state is MigrationState.OPENING

    def begin(self, event: MigrationEvent) -> None:
        """Replace the client's end, because of `event`."""
        self.relay.begin_migration(self)
        self.relay.client.transport.set_protocol(self)
        self._act(self._machine.report(event))

    # Reports of the opener.

    def on_opened(self, answer: Answer, node: NodeLoad) -> None:
        """Go on at `node`, which has given this good `answer`; only while `is_opening`."""
        self._answer = answer
        self._node = node
        self._act(self._machine.report(MigrationEvent.OPENED))

    def on_failed(self, cause: str) -> None:
        """End the relay: no next node was found, for `cause`; only while `is_opening`."""
        self._act(self._machine.report(MigrationEvent.FAILED), cause)

    # Questions of the relay before it judges by itself.

    def settles_close(self, end: RelayEnd) -> bool:
        """Judge a whole close frame of `end`; return False if the relay must judge it."""
        if end is self.relay.client:
            return self._act(self._machine.report(MigrationEvent.CLIENT_CLOSED))
        return self._act(self._machine.report(node_over(closed=True, whole=self._node_whole)))

    def settles_end(self, end: RelayEnd) -> bool:
        """Judge the end of the stream of `end`; return False if the relay must judge it."""
        if end is self.relay.client:
            return self._act(self._machine.report(MigrationEvent.CLIENT_ENDED))
        return self._act(self._machine.report(node_over(closed=False, whole=self._node_whole)))

    def settles_breach(self, end: RelayEnd) -> bool:
        """Judge that the peer of `end` broke the framing; return False if the relay must judge it."""
        of_client = end is self.relay.client
        return self._act(self._machine.report_breach(of_client=of_client, node_whole=self._node_whole))

    def on_deadline(self) -> None:
        """Act on the passed deadline of the present state."""
        self._act(self._machine.report_expiry(wanted=self._still_wanted(), node_whole=self._node_whole))

    def finish(self) -> None:
        """End the migration: the relay was ended, or goes on."""
        self._machine.finish()
        self._end_watch()
        send_off = self._take_send_off()
        if send_off is not None:
            send_off.events.on_failed(self.relay, "over")

    def read_held_close(self) -> bytes | None:
        """Return the client's close frame if the held data contains it; call it once, when the data is dropped."""
        tracker = self.relay.client.tracker
        tracker.feed(self._held)
        return tracker.close

    # The actions.

    def _act(self, actions: tuple[MigrationAction, ...], cause: str = "") -> bool:
        """Carry `actions` out; return False if the relay must judge the event. `cause`: why no next node was found."""
        if actions:
            self._end_watch()
        for action in actions:
            self._do(action, cause)
        return bool(actions) and not isinstance(actions[0], StayAtNode)

    def _do(self, action: MigrationAction, cause: str) -> None:
        relay = self.relay
        match action:
            case SetDeadline(limit):
                relay.set_deadline(self._limit_s(limit))
            case AwaitQuiet():
                self._await_quiet()
            case AwaitBoundary():
                if relay.client.tracker.between_messages:
                    self._act(self._machine.report(MigrationEvent.BOUNDARY))
            case HoldClient():
                relay.client.stop_reading()
            case SayGoodbye():
                relay.node.step(ClosingEvent.CLOSE_HERE)
                relay.node.transport.write(_GOODBYE)
            case LeaveNode(answers, planned):
                self._leave_node(self._answer_to_close() if answers else b"", planned=planned)
            case JoinNext():
                self._join_next()
            case StayAtNode():
                self._stay()
            case CloseWithClient():
                self._close_with_client()
            case CloseClient():
                self._close_client()
            case FailMigration(known):
                send_off = self._take_send_off()
                fail(relay, cause or known)
                if send_off is not None:
                    send_off.events.on_failed(relay, cause or known)

    def _answer_to_close(self) -> bytes:
        frame = self.relay.node.tracker.close
        assert frame is not None
        return client_frame(CLOSE, close_payload(close_of(frame)[0]))

    def _leave_node(self, last: bytes, *, planned: bool) -> None:
        relay = self.relay
        relay.count_carried()
        if relay.node.retire():
            relay.node.transport.abort()
        else:
            self._opener.close_left(relay.node.transport, last)
        self._opener.open_next(self, planned=planned)

    def _join_next(self) -> None:
        answer = self._answer
        assert answer is not None
        relay, send_off = self.relay, self._take_send_off()
        relay.end_migration()
        relay.client.stopped = False
        relay.join_node(answer.transport, self._held, answer.rest)
        if send_off is not None:
            assert self._node is not None
            send_off.events.on_arrived(relay, self._node)

    def _stay(self) -> None:
        relay, send_off = self.relay, self._take_send_off()
        relay.end_migration()
        relay.client.join(relay.node)
        if send_off is not None:
            send_off.events.on_failed(relay, "stayed" if relay.is_open else "over")

    def _close_with_client(self) -> None:
        """Use the client's close frame as the answer to the node's, and answer it in the node's place."""
        relay = self.relay
        relay.end_migration()
        relay.stats.moves_failed["client"] += 1
        relay.client.join(relay.node)
        frame = relay.client.tracker.close
        assert frame is not None
        if relay.client.step(ClosingEvent.CLOSE_HERE) is ClosingAction.SEND_CLOSE:
            relay.client.transport.write(server_frame(CLOSE, close_answer(frame)))
        relay.pass_close(relay.client)

    def _close_client(self) -> None:
        relay, send_off = self.relay, self._take_send_off()
        assert send_off is not None
        code = SERVICE_RESTART if relay.backend is None else relay.backend.close_code
        relay.cut(code, send_off.reason, "moved")
        send_off.events.on_sent(relay)

    def _take_send_off(self) -> SendOff | None:
        """Return the send-off to be reported; later calls return None."""
        send_off, self.send_off = self.send_off, None
        return send_off

    def _await_quiet(self) -> None:
        self._watch = QuietWatch(self.relay.node, self._config.leave_quiet_s, self._leave_s, self._on_quiet)

    def _on_quiet(self) -> None:
        self._act(self._machine.report_quiet(wanted=self._still_wanted()))

    def _end_watch(self) -> None:
        if self._watch is not None:
            self._watch.end_watch()
            self._watch = None

    def _still_wanted(self) -> bool:
        if self._machine.closes is not (self.relay.on_move is OnMove.CLOSE):
            return False  # the client has begun a session meanwhile: it would notice a move
        return self._wanted is None or self._wanted()

    @property
    def _leave_s(self) -> float:
        """The longest wait for a quiet moment."""
        send_off, configured_s = self.send_off, self._config.leave_deadline_s
        return configured_s if send_off is None else min(configured_s, send_off.within_s)

    @property
    def _node_whole(self) -> bool:
        return self.relay.node.tracker.between_messages

    def _limit_s(self, limit: MigrationLimit) -> float:
        config = self._config
        match limit:
            case MigrationLimit.MOVE:
                return config.move_deadline_s
            case MigrationLimit.QUIET:
                return self._leave_s
            case MigrationLimit.MESSAGE:
                return config.close_answer_s
            case MigrationLimit.GOODBYE:
                return config.linger_s
            case MigrationLimit.REOPEN:
                return config.reopen_deadline_s

    # In place of the client's end.

    def data_received(self, data: bytes) -> None:
        """Pass the rest of the message under way on, and hold later data."""
        state = self._machine.state
        if state is MigrationState.OVER:
            return
        relay = self.relay
        if self._watch is not None:
            self._watch.on_client_data(data)
            relay.client.data_received(data)
            return
        if state is MigrationState.ENDING or state is MigrationState.OPENING:
            self._held += data  # the pause takes effect a moment later on some transports
            return
        rest = relay.client.finish_message(data)
        if relay.client.tracker.over:
            relay.on_last_frame(relay.client)
        elif relay.client.tracker.between_messages:
            self._held = rest
            self._act(self._machine.report(MigrationEvent.BOUNDARY))

    def pause_writing(self) -> None:
        """Stop reading from the node: the client's buffer is full."""
        self.relay.client.pause_writing()

    def resume_writing(self) -> None:
        """Go on reading from the node."""
        self.relay.client.resume_writing()

    def eof_received(self) -> bool:
        """Report the end of the client's stream."""
        return self.relay.client.eof_received()

    def connection_lost(self, exc: Exception | None) -> None:
        """Report the loss of the client."""
        self.relay.client.connection_lost(exc)


def fail(relay: Relay, cause: str) -> None:
    """End `relay` because it cannot go on at a different node."""
    _log.info("a websocket could not be carried on at another node", cause=cause)
    relay.cut(SERVICE_RESTART, "node lost", "move", cause)

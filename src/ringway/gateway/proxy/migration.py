"""The migration of one relay from its node to the next: carries out what `core.migration` decides.

A migration begins when the node's close frame says where the session goes on, when a backend is lost whose WebSockets
may be reopened, or when a backend is to be left. It stands in place of the client's end until the relay goes on.
"""

import asyncio
from collections.abc import Callable
from typing import Protocol

from ringway.core.migration import (
    AwaitBoundary,
    AwaitQuiet,
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
from ringway.errors import ProtocolError
from ringway.gateway.cluster.backends import OnMove
from ringway.gateway.config.gateway import GatewayConfig
from ringway.gateway.proxy.quiet_watch import QuietWatch
from ringway.gateway.proxy.relay import Relay
from ringway.gateway.proxy.relay_end import RelayEnd
from ringway.gateway.proxy.upstream import Answer
from ringway.logger import get_logger
from ringway.protocol.close import GOING_AWAY, SERVICE_RESTART
from ringway.protocol.closing import ClosingAction, ClosingEvent
from ringway.protocol.frame import CLOSE, client_frame, close_answer, close_of, close_payload, server_frame
from ringway.protocol.move import Move, read_move

_ANSWER = client_frame(CLOSE, close_payload(SERVICE_RESTART))
_GOODBYE = client_frame(CLOSE, close_payload(GOING_AWAY))

_log = get_logger()


class NodeOpener(Protocol):
    """What a migration asks of its owner."""

    def open_next(self, migration: "Migration", *, planned: bool) -> None:
        """Open the next node for the relay, and report it by `on_opened` or `on_failed`.

        `planned`: the old node was left on purpose, at its own moment.
        """

    def close_left(self, transport: asyncio.Transport, last: bytes) -> None:
        """Own the connection to the node that was left, and write `last` to it."""


class Migration(asyncio.Protocol):
    """The way of `relay` to its next node, in place of the client's end.

    `move` is what the node's close frame said; None without a session to follow. `wanted` says whether a node that was
    to be left is still to be left.
    """

    __slots__ = ("_answer", "_config", "_held", "_machine", "_opener", "_wanted", "_watch", "move", "relay")

    def __init__(
        self,
        relay: Relay,
        config: GatewayConfig,
        opener: NodeOpener,
        move: Move | None = None,
        wanted: Callable[[], bool] | None = None,
    ) -> None:
        self.relay = relay
        self.move = move
        self._config = config
        self._opener = opener
        self._machine = MigrationMachine()
        self._held = b""  # came from the client, and is for the next node
        self._answer: Answer | None = None
        self._wanted = wanted
        self._watch: QuietWatch | None = None

    @property
    def is_opening(self) -> bool:
        """Whether the relay waits for its next node."""
        return self._machine.state is MigrationState.OPENING

    def begin(self, event: MigrationEvent) -> None:
        """Take the client's end over, because of `event`."""
        self.relay.begin_migration(self)
        self.relay.client.transport.set_protocol(self)
        self._act(self._machine.report(event))

    # What the opener reports.

    def on_opened(self, answer: Answer) -> None:
        """Go on at the next node, which has given this good `answer`; only while `is_opening`."""
        self._answer = answer
        self._act(self._machine.report(MigrationEvent.OPENED))

    def on_failed(self, cause: str) -> None:
        """End the relay: no next node was found, for `cause`; only while `is_opening`."""
        self._act(self._machine.report(MigrationEvent.FAILED), cause)

    # What the relay asks before it judges by itself.

    def settles_close(self, end: RelayEnd) -> bool:
        """Judge a whole close frame of `end`; return False if the relay is to judge it."""
        if end is self.relay.client:
            return self._act(self._machine.report(MigrationEvent.CLIENT_CLOSED))
        return self._act(self._machine.report(node_over(closed=True, whole=self._node_whole)))

    def settles_end(self, end: RelayEnd) -> bool:
        """Judge the end of the stream of `end`; return False if the relay is to judge it."""
        if end is self.relay.client:
            return self._act(self._machine.report(MigrationEvent.CLIENT_ENDED))
        return self._act(self._machine.report(node_over(closed=False, whole=self._node_whole)))

    def settles_breach(self, end: RelayEnd) -> bool:
        """Judge that the peer of `end` broke the framing; return False if the relay is to judge it."""
        of_client = end is self.relay.client
        return self._act(self._machine.report_breach(of_client=of_client, node_whole=self._node_whole))

    def on_deadline(self) -> None:
        """Act on the passed deadline of the present state."""
        self._act(self._machine.report_expiry(wanted=self._still_wanted(), node_whole=self._node_whole))

    def finish(self) -> None:
        """Have no part in the relay any more."""
        self._machine.finish()
        self._end_watch()

    def read_held_close(self) -> bytes | None:
        """Return the client's close frame if it is in what was held; to be asked once, when the rest is given up."""
        tracker = self.relay.client.tracker
        tracker.feed(self._held)
        return tracker.close

    # The actions.

    def _act(self, actions: tuple[MigrationAction, ...], cause: str = "") -> bool:
        """Carry `actions` out; return False if the relay is to judge the event. `cause`: why no next node was found."""
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
                self._leave_node(_ANSWER if answers else b"", planned=planned)
            case JoinNext():
                self._join_next()
            case StayAtNode():
                relay.end_migration()
                relay.client.join(relay.node)
            case CloseWithClient():
                self._close_with_client()
            case FailMigration(known):
                fail(relay, cause or known)

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
        self.relay.end_migration()
        self.relay.client.stopped = False
        self.relay.join_node(answer.transport, self._held, answer.rest)

    def _close_with_client(self) -> None:
        """Take the client's close frame for the answer to the node's, and answer it in the node's place."""
        relay = self.relay
        relay.end_migration()
        relay.stats.moves_failed["client"] += 1
        relay.client.join(relay.node)
        frame = relay.client.tracker.close
        assert frame is not None
        if relay.client.step(ClosingEvent.CLOSE_HERE) is ClosingAction.SEND_CLOSE:
            relay.client.transport.write(server_frame(CLOSE, close_answer(frame)))
        relay.pass_close(relay.client)

    def _await_quiet(self) -> None:
        config = self._config
        self._watch = QuietWatch(self.relay.node, config.leave_quiet_s, config.leave_deadline_s, self._on_quiet)

    def _on_quiet(self) -> None:
        self._act(self._machine.report_quiet(wanted=self._still_wanted()))

    def _end_watch(self) -> None:
        if self._watch is not None:
            self._watch.end_watch()
            self._watch = None

    def _still_wanted(self) -> bool:
        return self._wanted is None or self._wanted()

    @property
    def _node_whole(self) -> bool:
        return self.relay.node.tracker.between_messages

    def _limit_s(self, limit: MigrationLimit) -> float:
        config = self._config
        match limit:
            case MigrationLimit.MOVE:
                return config.move_deadline_s
            case MigrationLimit.QUIET:
                return config.leave_deadline_s
            case MigrationLimit.MESSAGE:
                return config.close_answer_s
            case MigrationLimit.GOODBYE:
                return config.linger_s
            case MigrationLimit.REOPEN:
                return config.reopen_deadline_s

    # In place of the client's end.

    def data_received(self, data: bytes) -> None:
        """Pass on what belongs to the message under way, and hold the rest."""
        state = self._machine.state
        if state is MigrationState.OVER:
            return
        relay = self.relay
        if self._watch is not None:
            self._watch.on_client_data(data)
            relay.client.data_received(data)
            return
        if state is MigrationState.PARTING or state is MigrationState.OPENING:
            self._held += data  # the pause takes effect a moment later on some transports
            return
        rest = relay.client.finish_message(data)
        if relay.client.tracker.over:
            relay.on_last_frame(relay.client)
        elif relay.client.tracker.between_messages:
            self._held = rest
            self._act(self._machine.report(MigrationEvent.BOUNDARY))

    def pause_writing(self) -> None:
        """Stop reading from the node: the client accepts no more."""
        self.relay.client.pause_writing()

    def resume_writing(self) -> None:
        """Go on reading from the node."""
        self.relay.client.resume_writing()

    def eof_received(self) -> bool:
        """Report the end of the client's stream."""
        return self.relay.client.eof_received()

    def connection_lost(self, exc: Exception | None) -> None:
        """Report that the client is gone."""
        self.relay.client.connection_lost(exc)


def follow_close(relay: Relay, config: GatewayConfig, opener: NodeOpener) -> bool:
    """Go on at another node if the close frame of this one says so; return True if nothing is left to do about it."""
    frame = relay.node.tracker.close
    assert frame is not None
    try:
        code, reason = close_of(frame)
    except ProtocolError:
        return False
    if code != SERVICE_RESTART:
        return False
    if relay.on_move is not OnMove.FOLLOW:
        return reopen(relay, config, opener, MigrationEvent.NODE_CLOSED)
    move = read_move(reason)
    if move is None:
        return False
    if relay.node.tracker.between_messages:
        Migration(relay, config, opener, move).begin(MigrationEvent.MOVED)
    else:
        fail(relay, "message")
    return True


def reopen(relay: Relay, config: GatewayConfig, opener: NodeOpener, event: MigrationEvent) -> bool:
    """Go on at another backend because of `event`, if that is wanted; return True if nothing is left to do about it."""
    if relay.on_move is not OnMove.REOPEN:
        return False
    if relay.client.tracker.between_messages and relay.node.tracker.between_messages:
        Migration(relay, config, opener).begin(event)
    else:
        fail(relay, "message")
    return True


def leave(relay: Relay, config: GatewayConfig, opener: NodeOpener, wanted: Callable[[], bool]) -> None:
    """Go on at another backend at a quiet moment, if the node is `wanted` to be left then.

    Nothing happens if the relay ends, or is on its way already.
    """
    if relay.on_move is OnMove.REOPEN and relay.migration is None and relay.is_open:
        event = MigrationEvent.LEAVE if config.leave_deadline_s else MigrationEvent.LEAVE_NOW
        Migration(relay, config, opener, wanted=wanted).begin(event)


def fail(relay: Relay, cause: str) -> None:
    """End `relay` because it cannot be carried on at another node."""
    _log.info("a websocket could not be carried on at another node", cause=cause)
    relay.cut(SERVICE_RESTART, "node lost", "move", cause)

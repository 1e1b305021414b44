"""A tunnel on its way from one node to another: does what `core.migration` says, in place of the client's end."""

import asyncio
from collections.abc import Callable
from typing import TYPE_CHECKING

from ringway.core.migration import TABLE, WHY, MigrationAction, MigrationEvent, MigrationState
from ringway.gateway.config.gateway import GatewayConfig
from ringway.gateway.proxy.quiet_watch import Watch
from ringway.gateway.proxy.relay_end import Side
from ringway.gateway.proxy.upstream import Answer
from ringway.protocol.close import GOING_AWAY, SERVICE_RESTART
from ringway.protocol.closing import ClosingEvent
from ringway.protocol.frame import CLOSE, client_frame, close_payload
from ringway.protocol.move import Move

if TYPE_CHECKING:
    from ringway.gateway.proxy.relay import Tunnel

_ANSWER = client_frame(CLOSE, close_payload(SERVICE_RESTART))
_GOODBYE = client_frame(CLOSE, close_payload(GOING_AWAY))


class Crossing(asyncio.Protocol):
    """See the module. `move` is what the node's close frame said; None where there is no session to follow.

    `still` says whether a node that was to be left is to be left still.
    """

    __slots__ = ("_answer", "_config", "_still", "_tunnel", "_watch", "held", "move", "state")

    def __init__(
        self,
        tunnel: "Tunnel",
        config: GatewayConfig,
        move: Move | None = None,
        still: Callable[[], bool] | None = None,
    ) -> None:
        self.state = MigrationState.RELAYING
        self.move = move
        self.held = b""  # came from the client, and is for the next node
        self._tunnel = tunnel
        self._config = config
        self._answer: Answer | None = None
        self._still = still
        self._watch: Watch | None = None

    def on(self, event: MigrationEvent, why: str = "") -> bool:
        """Do what `TABLE` says; return whether that settles it. `why` is what made the next node fail."""
        before = self.state
        action, self.state = TABLE[before, event]
        self._unwatch()
        tunnel, config = self._tunnel, self._config
        match action:
            case MigrationAction.WAIT:
                self._wait(tunnel, config)
            case MigrationAction.BRAKE:
                tunnel.deadline(config.move_deadline_s if event is MigrationEvent.MOVED else config.close_answer_s)
                if tunnel.client.tracker.between_messages:
                    self.on(MigrationEvent.BOUNDARY)
            case MigrationAction.ANSWER:
                tunnel.client.stop()
                tunnel.part(_ANSWER, self.move)
            case MigrationAction.PART:
                tunnel.client.stop()
                tunnel.deadline(config.linger_s)
                tunnel.node.on(ClosingEvent.CLOSE_HERE)
                tunnel.node.transport.write(_GOODBYE)
            case MigrationAction.OPEN:
                tunnel.client.stop()
                tunnel.deadline(config.reopen_deadline_s)
                told = before is MigrationState.PARTING
                answers = tunnel.node.tracker.close is not None and not told
                tunnel.part(_ANSWER if answers else b"", None, planned=told)
            case MigrationAction.JOIN:
                assert self._answer is not None
                tunnel.join_next(self._answer, self.held)
            case MigrationAction.STAY:
                tunnel.stay()
            case MigrationAction.ECHO:
                tunnel.close_with_client()
            case MigrationAction.FAIL:
                tunnel.fail(why or WHY[event])
        return action is not MigrationAction.STAY

    def opened(self, answer: Answer) -> None:
        """Go on at the next node, which has given this good `answer`."""
        self._answer = answer
        self.on(MigrationEvent.OPENED)

    def closed(self, side: Side) -> bool:
        """Take a whole close frame of `side`; return whether that is settled."""
        return self.on(MigrationEvent.CLIENT_CLOSED if side is self._tunnel.client else self._node_over())

    def ended(self, side: Side) -> bool:
        """Take the end of the stream of `side`; return whether that is settled."""
        return self.on(MigrationEvent.CLIENT_ENDED if side is self._tunnel.client else self._node_over())

    def broken(self, side: Side) -> bool:
        """Take it that `side` has broken a rule; return whether that is settled."""
        if side is self._tunnel.client:
            return self.state in (MigrationState.WAITING, MigrationState.LEAVING) and self.on(
                MigrationEvent.CLIENT_CLOSED
            )
        return self.state is MigrationState.PARTING and self.on(self._node_over())

    def expired(self) -> None:
        """Take note that the time for this state is up. A node that was told goodbye is left as it is."""
        if self.state is MigrationState.WAITING:
            self._leave(MigrationEvent.EXPIRED)
        else:
            self.on(self._node_over() if self.state is MigrationState.PARTING else MigrationEvent.EXPIRED)

    def held_close(self) -> bytes | None:
        """Return the client's close frame, where one was held; to be asked once, when the rest is given up."""
        tracker = self._tunnel.client.tracker
        tracker.feed(self.held)
        return tracker.close

    def end(self) -> None:
        """Have no part in the tunnel any more."""
        self.state = MigrationState.OVER
        self._unwatch()

    def _wait(self, tunnel: "Tunnel", config: GatewayConfig) -> None:
        """Let both ends go on until it is quiet."""
        if not config.leave_deadline_s:
            self._leave(MigrationEvent.EXPIRED)
            return
        tunnel.deadline(config.leave_deadline_s)
        self._watch = Watch(
            tunnel.node, config.leave_quiet_s, config.leave_deadline_s, lambda: self._leave(MigrationEvent.QUIET)
        )

    def _leave(self, event: MigrationEvent) -> None:
        self.on(event if self._still is None or self._still() else MigrationEvent.REMAIN)

    def _unwatch(self) -> None:
        if self._watch is not None:
            self._watch.end()
            self._watch = None

    def _node_over(self) -> MigrationEvent:
        return MigrationEvent.NODE_OVER if self._tunnel.node.tracker.between_messages else MigrationEvent.NODE_BROKEN

    # In place of the client's side.

    def data_received(self, data: bytes) -> None:
        """Pass on what belongs to the message under way, and hold the rest."""
        if self.state is MigrationState.OVER:
            return
        tunnel = self._tunnel
        if self._watch is not None:
            self._watch.client_spoke(data)
            tunnel.client.data_received(data)
            return
        if self.state is MigrationState.PARTING or self.state is MigrationState.OPENING:
            self.held += data  # the pause takes effect a moment later on some transports
            return
        rest = tunnel.client.finish_message(data)
        if tunnel.client.tracker.over:
            tunnel.over(tunnel.client)
        elif tunnel.client.tracker.between_messages:
            self.held = rest
            self.on(MigrationEvent.BOUNDARY)

    def pause_writing(self) -> None:
        """Stop reading from the node: the client takes no more."""
        self._tunnel.client.pause_writing()

    def resume_writing(self) -> None:
        """Go on reading from the node."""
        self._tunnel.client.resume_writing()

    def eof_received(self) -> bool:
        """Take the end of the client's stream."""
        return self._tunnel.client.eof_received()

    def connection_lost(self, exc: Exception | None) -> None:
        """Take note that the client is gone."""
        self._tunnel.client.connection_lost(exc)

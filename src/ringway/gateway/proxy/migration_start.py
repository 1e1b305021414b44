"""Start of a migration: the events because of which a relay leaves its node, and whether it may.

A migration begins when the node's close frame names the session's next node, when a backend restarts or is lost whose
WebSockets may be reopened, or when a relay must leave a backend.
"""

from collections.abc import Callable

from ringway.core.migration import MigrationEvent
from ringway.errors import ProtocolError
from ringway.gateway.config.gateway import GatewayConfig
from ringway.gateway.proxy.migration import Migration, NodeOpener, fail
from ringway.gateway.proxy.relay import Relay
from ringway.gateway.proxy.send_off import SendOff
from ringway.protocol.backend import OnMove
from ringway.protocol.close import SERVICE_RESTART
from ringway.protocol.frame import CLOSE, close_of, close_payload, server_frame
from ringway.protocol.move import read_move


def follow_close(relay: Relay, config: GatewayConfig, opener: NodeOpener) -> bool:
    """Go on at the next node if the node's close frame names one; return True if the event is dealt with."""
    frame = relay.node.tracker.close
    assert frame is not None
    try:
        code, reason = close_of(frame)
    except ProtocolError:
        return False
    if relay.on_move is not OnMove.FOLLOW:
        return _restart(relay, config, opener, code, reason)
    if code != SERVICE_RESTART:
        return False
    move = read_move(reason)
    if move is None:
        return False
    if relay.node.tracker.between_messages:
        Migration(relay, config, opener, move).begin(MigrationEvent.MOVED)
    else:
        fail(relay, "message")
    return True


def _restart(relay: Relay, config: GatewayConfig, opener: NodeOpener, code: int, reason: str) -> bool:
    """Act on the close frame of a backend if it means that the backend restarts; return True if it is dealt with."""
    backend = relay.backend
    if code != SERVICE_RESTART and (backend is None or code not in backend.restart_codes):
        return False
    if relay.on_move is OnMove.CLOSE and backend is not None and code != backend.close_code:
        relay.pass_close(relay.node, server_frame(CLOSE, close_payload(backend.close_code, reason)))
        return True
    return reopen(relay, config, opener, MigrationEvent.NODE_CLOSED)


def reopen(relay: Relay, config: GatewayConfig, opener: NodeOpener, event: MigrationEvent) -> bool:
    """Go on at a different backend because of `event`, if that is wanted; return True if the event is dealt with."""
    if relay.on_move is not OnMove.REOPEN:
        return False
    if relay.client.tracker.between_messages and relay.node.tracker.between_messages:
        Migration(relay, config, opener).begin(event)
    else:
        fail(relay, "message")
    return True


def leave(relay: Relay, config: GatewayConfig, opener: NodeOpener, wanted: Callable[[], bool]) -> None:
    """Go on at a different backend at a quiet moment, if `wanted` is still true then.

    Nothing happens if the relay ends, or is on its way already.
    """
    if relay.on_move is OnMove.REOPEN and relay.migration is None and relay.is_open:
        event = MigrationEvent.LEAVE if config.leave_deadline_s else MigrationEvent.LEAVE_NOW
        Migration(relay, config, opener, wanted=wanted).begin(event)


def send(relay: Relay, config: GatewayConfig, opener: NodeOpener, send_off: SendOff) -> bool:
    """Move `relay` as `send_off` says, at a quiet moment; return False, without a report, if the relay may not
    leave."""
    if not relay.may_leave:
        return False
    event = MigrationEvent.LEAVE if config.leave_deadline_s else MigrationEvent.LEAVE_NOW
    Migration(relay, config, opener, wanted=send_off.wanted, send_off=send_off).begin(event)
    return True

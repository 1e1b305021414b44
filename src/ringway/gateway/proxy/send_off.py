"""Send-off of one relay: a planned move to a named backend, and the report of its outcome."""

from collections.abc import Callable
from dataclasses import dataclass
from math import inf
from typing import Protocol

from ringway.core.load import NodeLoad
from ringway.gateway.proxy.relay import Relay

MOVED = "moved: reconnect"
"""The close reason for a client that comes back by itself, unless the sender gives a different reason."""


class SendOffEvents(Protocol):
    """The outcome of a send-off: one of these methods is called, once."""

    def on_arrived(self, relay: Relay, node: NodeLoad) -> None:
        """`relay` goes on at `node`: the target, or a backend that was asked after the target. Its client notices
        nothing."""

    def on_sent(self, relay: Relay) -> None:
        """The client of `relay` was told to reconnect."""

    def on_failed(self, relay: Relay, cause: str) -> None:
        """`relay` was not moved: it stays at its node (`stayed`), or ends (`over`, or a cause of `moves_failed`)."""


@dataclass(frozen=True, slots=True)
class SendOff:
    """A planned move to `target`. `wanted` returns False once it is cancelled; `reason` is for a client that is closed.

    It can be cancelled until the quiet moment, which comes after at most `within_s`, or `leave_deadline_s`.
    """

    target: NodeLoad
    events: SendOffEvents
    wanted: Callable[[], bool]
    reason: str = MOVED
    within_s: float = inf

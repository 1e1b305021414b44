"""Close codes: one table for the code, the tests and the reference page (PROTOCOL.md P-6).

The range of a code decides the receiver's reaction, so that an old client treats a new code correctly:
3000-3499 and 4000-4499 reconnect, 3500-3999 and 4500-4999 are final, below 3000 the transport was lost.
"""

import enum
from dataclasses import dataclass

REASON_BYTES_MAX = 123
"""RFC 6455, 5.5: a control frame holds 125 bytes, two of them the code."""


class Retry(enum.StrEnum):
    """The next step of the receiver of a close code."""

    BACKOFF = "backoff"  # reconnect after a growing, jittered pause
    ELSEWHERE = "elsewhere"  # reconnect through the gateway, which chooses the node
    NEVER = "never"  # the owner of the client must act first


@dataclass(frozen=True, slots=True)
class CloseCode:
    """One row of the table."""

    code: int
    name: str
    retry: Retry
    sender: str
    meaning: str


_ROWS = (
    CloseCode(1000, "normal", Retry.NEVER, "client", "the client is done"),
    CloseCode(1001, "going away", Retry.BACKOFF, "client", "the page is left or the process ends"),
    CloseCode(1002, "protocol error", Retry.NEVER, "both", "a frame broke RFC 6455"),
    CloseCode(1003, "unsupported data", Retry.NEVER, "node", "a binary message, where the protocol is text"),
    CloseCode(1007, "invalid payload", Retry.NEVER, "node", "a text message is not UTF-8"),
    CloseCode(1009, "message too big", Retry.NEVER, "node", "a message is longer than `message_bytes_max`"),
    CloseCode(
        1012,
        "service restart",
        Retry.ELSEWHERE,
        "node, gateway",
        "a move (see P-7), a drain's end, or the node was lost",
    ),
    CloseCode(1013, "try again later", Retry.BACKOFF, "gateway", "no node can take the connection now"),
    CloseCode(3000, "connection closed", Retry.BACKOFF, "node", "closed without a special reason"),
    CloseCode(3001, "shutdown", Retry.BACKOFF, "node", "the node is shutting down"),
    CloseCode(3004, "internal server error", Retry.BACKOFF, "node", "a fault of the node's own"),
    CloseCode(3005, "connection expired", Retry.BACKOFF, "node", "its token has ended, and no new one came in time"),
    CloseCode(
        3006, "subscription expired", Retry.BACKOFF, "node", "a subscription that the server made has ended, as above"
    ),
    CloseCode(3008, "slow", Retry.BACKOFF, "node", "the client reads slower than it is sent to: outbox full"),
    CloseCode(
        3010, "insufficient state", Retry.BACKOFF, "node", "publications of a channel are missing; recover, or learn it"
    ),
    CloseCode(3012, "no pong", Retry.BACKOFF, "node", "a ping was not answered in time"),
    CloseCode(3013, "too many requests", Retry.BACKOFF, "node", "more commands or frames a second than allowed"),
    CloseCode(3500, "invalid token", Retry.NEVER, "node", "a token that is not good, or that this node cannot check"),
    CloseCode(3501, "bad request", Retry.NEVER, "node", "a command that cannot be read, or out of order"),
    CloseCode(3502, "stale", Retry.NEVER, "node", "no connect command in time"),
    CloseCode(
        3503,
        "force disconnect",
        Retry.NEVER,
        "node",
        "cut off by a backend, or the user has connected anew and may have one connection",
    ),
    CloseCode(3504, "connection limit", Retry.NEVER, "node", "the user has as many connections as it may have"),
    CloseCode(3507, "permission denied", Retry.NEVER, "node", "a token without a user, where that is not accepted"),
)

CODES: dict[int, CloseCode] = {row.code: row for row in _ROWS}

NORMAL = 1000
GOING_AWAY = 1001
PROTOCOL_ERROR = 1002
UNSUPPORTED_DATA = 1003
INVALID_PAYLOAD = 1007
MESSAGE_TOO_BIG = 1009
SERVICE_RESTART = 1012
TRY_AGAIN_LATER = 1013
CLOSED = 3000
SHUTDOWN = 3001
INTERNAL = 3004
CONNECTION_EXPIRED = 3005
SUBSCRIPTION_EXPIRED = 3006
SLOW = 3008
INSUFFICIENT_STATE = 3010
NO_PONG = 3012
TOO_MANY_REQUESTS = 3013
INVALID_TOKEN = 3500
BAD_REQUEST = 3501
STALE = 3502
FORCE_DISCONNECT = 3503
CONNECTION_LIMIT = 3504
PERMISSION_DENIED = 3507

ABNORMAL = 1006
"""Reported if a connection ended without a close frame; never sent (RFC 6455, 7.4.1)."""


def retry_of(code: int) -> Retry:
    """Return the next step of the receiver of `code`; codes outside the table are judged by their range."""
    if code in CODES:
        return CODES[code].retry
    if 3500 <= code < 4000 or 4500 <= code < 5000:
        return Retry.NEVER
    return Retry.BACKOFF


def may_travel(code: int) -> bool:
    """True if a close frame may carry `code` (RFC 6455, 7.4; 1012 to 1014 from the IANA registry)."""
    return 1000 <= code <= 1003 or 1007 <= code <= 1014 or 3000 <= code <= 4999

"""Error codes of replies, in one table (PROTOCOL.md P-4.9). A client may retry after a temporary error."""

from ringway.errors import CommandError

INTERNAL = 100
UNAUTHORIZED = 101
UNKNOWN_CHANNEL = 102
PERMISSION_DENIED = 103
METHOD_NOT_FOUND = 104
ALREADY_SUBSCRIBED = 105
LIMIT_EXCEEDED = 106
BAD_REQUEST = 107
NOT_AVAILABLE = 108
TOKEN_EXPIRED = 109
EXPIRED = 110
TOO_MANY_REQUESTS = 111
UNRECOVERABLE_POSITION = 112

CODES: dict[int, tuple[str, bool]] = {
    INTERNAL: ("internal server error", True),
    UNAUTHORIZED: ("unauthorized", False),
    UNKNOWN_CHANNEL: ("unknown channel", False),
    PERMISSION_DENIED: ("permission denied", False),
    METHOD_NOT_FOUND: ("method not found", False),
    ALREADY_SUBSCRIBED: ("already subscribed", False),
    LIMIT_EXCEEDED: ("limit exceeded", False),
    BAD_REQUEST: ("bad request", False),
    NOT_AVAILABLE: ("not available", False),
    TOKEN_EXPIRED: ("token expired", False),
    EXPIRED: ("expired", False),
    TOO_MANY_REQUESTS: ("too many requests", True),
    UNRECOVERABLE_POSITION: ("unrecoverable position", False),
}


def command_error(code: int, detail: str = "") -> CommandError:
    """Return the error `code` of the table; `detail` names the value and its problem."""
    message, temporary = CODES[code]
    return CommandError(code, f"{message}: {detail}" if detail else message, temporary=temporary)


def is_temporary(code: int) -> bool:
    """True if what was refused with `code` may be accepted later; a code that is not in the table is final."""
    return CODES.get(code, ("", False))[1]

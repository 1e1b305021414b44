"""Publication of a client or a backend: which idempotency keys it may have, and what is said if the engine fails."""

from ringway.errors import CommandError, EngineError, Unconfirmed
from ringway.node.commands.errors import engine_failed
from ringway.protocol.errorcode import BAD_REQUEST, INTERNAL, NOT_AVAILABLE, command_error

KEY_BYTES_MAX = 128
"""The longest idempotency key."""


def publication_failed(error: EngineError | TimeoutError, key: str) -> CommandError:
    """Return the error of a publication with the idempotency key `key` for which the engine failed."""
    if isinstance(error, Unconfirmed | TimeoutError):  # a retry could double the publication, unless it has a key
        return CommandError(INTERNAL, "the engine did not confirm; it may be published", temporary=bool(key))
    return engine_failed(error)


def check_key(key: str, *, kept: bool) -> None:
    """Raise `CommandError` if a publication cannot have the idempotency key `key`; `kept`: it is stored in history."""
    if not key:
        return
    if not kept:
        raise command_error(NOT_AVAILABLE, "an idempotency key needs history, and this channel keeps none")
    size = len(key.encode(errors="replace"))
    if size > KEY_BYTES_MAX or not key.isprintable() or not key.isascii():
        raise command_error(
            BAD_REQUEST, f"an idempotency key of {size} bytes; give 1 to {KEY_BYTES_MAX} printable characters of ASCII"
        )

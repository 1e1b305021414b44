"""Channel names: the rule for legal names (PROTOCOL.md P-4.1)."""

from ringway.errors import CommandError
from ringway.types import Channel

NAME_BYTES_MAX = 255


def check_channel(name: str, bytes_max: int = NAME_BYTES_MAX) -> Channel:
    """Return `name` as a channel, or raise `CommandError` 107 that names the problem.

    A legal name has 1 to `bytes_max` bytes of UTF-8 without control characters (C0, DEL, C1). Dots, stars, spaces and
    `>` are legal: an engine maps names to its own address space without collisions.
    """
    if not name:
        raise CommandError(107, "the channel name is empty; give 1 to 255 bytes of text")
    try:
        size = len(name) if name.isascii() else len(name.encode())
    except UnicodeEncodeError:
        raise CommandError(107, "the channel name is not valid Unicode; lone surrogates cannot travel") from None
    if size > bytes_max:
        raise CommandError(107, f"the channel name has {size} bytes; at most {bytes_max} are allowed")
    if not name.isprintable() and any(ord(c) < 32 or 127 <= ord(c) < 160 for c in name):
        raise CommandError(107, f"the channel name {name!r} holds a control character; leave it out")
    return Channel(name)

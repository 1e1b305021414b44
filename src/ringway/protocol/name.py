"""Member names: the rule for legal names. They are part of close reasons, URLs and engine addresses, unescaped."""

import re
from hashlib import blake2b

from ringway.errors import ConfigError
from ringway.types import NodeName

_LENGTH_MAX = 63
_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,62}")


def check_name(name: str) -> NodeName:
    """Return `name` as a member's name, or raise `ConfigError` with the rule."""
    if not _NAME.fullmatch(name):
        raise ConfigError(
            f"the name {name!r} is not usable: give 1 to 63 letters, digits, '.', '_' or '-', "
            "beginning with a letter or digit"
        )
    return NodeName(name)


def legal_name(text: str) -> NodeName:
    """Return a legal name that resembles `text`: `text` itself if it is legal, and always the same for the same text.

    If the text is too long, the end is replaced by a digest, so that different texts stay different.
    """
    legal = "".join(char if char.isascii() and (char.isalnum() or char in "._-") else "-" for char in text)
    legal = legal.lstrip("._-") or "backend"
    if len(legal) > _LENGTH_MAX:
        legal = f"{legal[: _LENGTH_MAX - 9]}-{blake2b(text.encode(), digest_size=4).hexdigest()}"
    return NodeName(legal)

"""Member names: which are legal. They are part of close reasons, URLs and engine addresses as they are."""

import re

from ringway.errors import ConfigError
from ringway.types import NodeName

_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,62}")


def check_name(name: str) -> NodeName:
    """Return `name` as a member's name, or raise `ConfigError` that says what would be right."""
    if not _NAME.fullmatch(name):
        raise ConfigError(
            f"the name {name!r} is not usable: give 1 to 63 letters, digits, '.', '_' or '-', "
            "beginning with a letter or digit"
        )
    return NodeName(name)

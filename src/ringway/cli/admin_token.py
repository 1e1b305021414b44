"""The token of a command for an admin port that asks for one."""

import os

from ringway.api.token_file import read_tokens
from ringway.errors import ConfigError

ADMIN_TOKEN_ENV = "RINGWAY_ADMIN_TOKEN"

HOW_TO_GIVE = f"A token is given by --admin-token-file FILE, or by {ADMIN_TOKEN_ENV}"


def read_admin_token(file: str | None) -> str:
    """Return the token in `file`, or in the environment; empty if there is none. Of several in a file the first counts.

    Raise `ConfigError` if the file has no token.
    """
    if file:
        return read_tokens(file)[0].decode()
    token = os.environ.get(ADMIN_TOKEN_ENV, "").strip()
    if not (token.isascii() and token.isprintable()):
        raise ConfigError(f"{ADMIN_TOKEN_ENV} (hidden) is no token; it has characters that are not visible ASCII")
    return token

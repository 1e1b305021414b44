"""Bearer tokens of the registration port, from a file that is read again when it changes."""

import hmac
from pathlib import Path

from ringway.errors import ConfigError
from ringway.file_identity import identify_files
from ringway.logger import get_logger

TOKEN_LENGTH_MIN = 16
FILE_BYTES_MAX = 1_000_000

_log = get_logger()


class TokenFile:
    """The tokens in the file `path`. Raise `ConfigError` if they cannot be used at the start.

    A file that cannot be used later leaves the last good tokens in force, and the log says so once for each change.
    """

    def __init__(self, path: str) -> None:
        self._path = path
        self._identity = identify_files([path])
        self._tokens = read_tokens(path)

    def admits(self, token: str) -> bool:
        """Return True if the file has `token`. All its tokens are compared, in constant time."""
        self._refresh()
        given = token.encode()
        return sum(hmac.compare_digest(given, known) for known in self._tokens) > 0

    def _refresh(self) -> None:
        identity = identify_files([self._path])
        if identity == self._identity:
            return
        self._identity = identity
        try:
            self._tokens = read_tokens(self._path)
        except ConfigError as error:
            _log.warning("the last good registration tokens stay in force", why=str(error))
        else:
            _log.info("the registration tokens were read again", file=self._path, tokens=len(self._tokens))


def read_tokens(path: str) -> tuple[bytes, ...]:
    """Return the tokens in the file `path`; raise `ConfigError` if it has no token, or a token that is too short."""
    try:
        with Path(path).open("rb") as file:
            text = file.read(FILE_BYTES_MAX + 1)
    except (OSError, ValueError) as error:
        why = error.strerror if isinstance(error, OSError) else error
        raise ConfigError(f"the file of tokens {path} cannot be read ({why}); make it, or correct the path") from None
    if len(text) > FILE_BYTES_MAX:
        raise ConfigError(f"the file of tokens {path} has more than {FILE_BYTES_MAX} bytes; name the right file")
    lines = [line.strip() for line in text.splitlines()]
    tokens = tuple(line for line in lines if line and not line.startswith(b"#"))
    if not tokens:
        raise ConfigError(f"the file of tokens {path} has no token; write one a line, as from `openssl rand -hex 32`")
    for number, line in enumerate(lines, 1):
        if line in tokens and (len(line) < TOKEN_LENGTH_MIN or not _is_plain(line)):
            raise ConfigError(
                f"line {number} of the file of tokens {path} is no token; a token has at least {TOKEN_LENGTH_MIN} "
                "visible ASCII characters, as from `openssl rand -hex 32`"
            )
    return tokens


def _is_plain(token: bytes) -> bool:
    return all(33 <= byte <= 126 for byte in token)

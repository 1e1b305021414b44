"""Files of tokens that admit callers to an API port, read again when they change."""

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

    `what` names one of them: "token", "API key". A file that cannot be used later leaves the last good tokens in force,
    and the log says so once for each change.
    """

    def __init__(self, path: str, what: str = "token") -> None:
        self._path = path
        self._what = what
        self._identity = identify_files([path])
        self._tokens = read_tokens(path, what)

    def admits(self, token: str) -> bool:
        """Return True if the file has `token`. All its tokens are compared, in constant time."""
        self._refresh()
        return is_among(token, self._tokens)

    def _refresh(self) -> None:
        identity = identify_files([self._path])
        if identity == self._identity:
            return
        self._identity = identity
        try:
            self._tokens = read_tokens(self._path, self._what)
        except ConfigError as error:
            _log.warning(f"the last good {self._what}s stay in force", why=str(error))
        else:
            _log.info(f"the {self._what}s were read again", file=self._path, tokens=len(self._tokens))


def is_among(token: str, known: tuple[bytes, ...]) -> bool:
    """Return True if `token` is one of `known`. All of them are compared, in constant time."""
    given = token.encode(errors="replace")
    return sum(hmac.compare_digest(given, each) for each in known) > 0


def read_tokens(path: str, what: str = "token") -> tuple[bytes, ...]:
    """Return the tokens in the file `path`; raise `ConfigError` if it has no token, or a token that is too short."""
    name = f"the file of {what}s {path}"
    try:
        with Path(path).open("rb") as file:
            text = file.read(FILE_BYTES_MAX + 1)
    except (OSError, ValueError) as error:
        why = error.strerror if isinstance(error, OSError) else error
        raise ConfigError(f"{name} cannot be read ({why}); make it, or correct the path") from None
    if len(text) > FILE_BYTES_MAX:
        raise ConfigError(f"{name} has more than {FILE_BYTES_MAX} bytes; name the right file")
    lines = [line.strip() for line in text.splitlines()]
    tokens = tuple(line for line in lines if line and not line.startswith(b"#"))
    if not tokens:
        raise ConfigError(f"{name} has no {what}; write one a line, as from `openssl rand -hex 32`")
    for number, line in enumerate(lines, 1):
        if line in tokens and not is_usable(line):
            raise ConfigError(f"line {number} of {name} is no {what}; {rule_of(what)}")
    return tokens


def is_usable(token: bytes) -> bool:
    """Return True if `token` is long enough, and has visible ASCII characters only."""
    return len(token) >= TOKEN_LENGTH_MIN and all(33 <= byte <= 126 for byte in token)


def rule_of(what: str) -> str:
    """Return the rule for a token, in words."""
    article = "an" if what[0] in "aeiouAEIOU" else "a"
    return f"{article} {what} has at least {TOKEN_LENGTH_MIN} visible ASCII characters, as from `openssl rand -hex 32`"

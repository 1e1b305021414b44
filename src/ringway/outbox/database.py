"""Connections to the database of the outbox, by asyncpg, and their failures in words."""

from urllib.parse import unquote, urlsplit

import asyncpg

from ringway.errors import ConfigError
from ringway.outbox.config import DSN_FORM, PostgresqlConfig, read_dsn
from ringway.outbox.session import DatabaseSession

CONNECT_S = 10.0
STATEMENT_S = 10.0
"""The longest time for a connection, and for one statement."""

IDLE_S = 30
"""The database ends the transaction of a node that does nothing for this long: another node then has the partition."""

SILENCE_S = 20
"""The database gives up the connection of a machine that is silent for about this long."""

SESSION = {
    "idle_in_transaction_session_timeout": str(IDLE_S * 1000),
    "tcp_keepalives_idle": str(SILENCE_S // 2),
    "tcp_keepalives_interval": str(SILENCE_S // 8),
    "tcp_keepalives_count": "4",
}

FAILURES = (
    OSError,
    TimeoutError,
    ValueError,
    ConfigError,
    asyncpg.PostgresError,
    asyncpg.InterfaceError,
    asyncpg.InternalClientError,  # the connection was lost at the moment of a statement
)
"""What connections and statements raise; also for an address that cannot be read."""

LOST = (asyncpg.InterfaceError, asyncpg.InternalClientError, asyncpg.ConnectionDoesNotExistError)
"""The various ways in which asyncpg says that a connection has ended under a statement."""

WORDS_MAX = 300


class Database:
    """Opens connections of the node `name` to the database of `config`."""

    def __init__(self, config: PostgresqlConfig, name: str) -> None:
        self._config = config
        self._session = {**SESSION, "application_name": f"ringway {name}"[:63]}

    async def open(self) -> DatabaseSession:
        """Return a new connection; raise one of `FAILURES`."""
        dsn = read_dsn(self._config)
        session: DatabaseSession = await asyncpg.connect(
            dsn, timeout=CONNECT_S, command_timeout=STATEMENT_S, server_settings=self._session
        )
        return session

    def explain(self, error: BaseException) -> str:
        """Return in words, without the password, why the database failed."""
        if isinstance(error, ConfigError):
            return str(error)
        if isinstance(error, asyncpg.UndefinedTableError):
            return f"{_first_line(error)}; make the table, or correct its name (docs/howto/outbox.md has the SQL)"
        if isinstance(error, TimeoutError):
            return f"it did not answer within {STATEMENT_S:g} s"
        if isinstance(error, ValueError):  # its text may have parts of the address
            return f"its address cannot be used; write {DSN_FORM}"
        if isinstance(error, LOST):
            return "the connection was lost"
        try:
            password = urlsplit(read_dsn(self._config)).password
        except (ConfigError, ValueError):
            return type(error).__name__
        words = _first_line(error)
        for secret in {password or "", unquote(password or "")} - {""}:
            words = words.replace(secret, "(hidden)")
        return words


def _first_line(error: BaseException) -> str:
    words = str(error).strip().partition("\n")[0] or type(error).__name__
    return words[:WORDS_MAX]

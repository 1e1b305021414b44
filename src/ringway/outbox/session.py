"""A connection to the database, as far as the outbox uses it. asyncpg's `Connection` is one."""

from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractAsyncContextManager
from typing import Any, Protocol

Row = Mapping[str, Any]

OnNotification = Callable[[object, int, str, object], None]
"""Called with connection, process, channel and text of a notification."""


class DatabaseSession(Protocol):
    """A connection. Its statements raise one of `database.FAILURES`."""

    async def fetch(self, statement: str, *arguments: object) -> Sequence[Row]:
        """Return the rows of the answer."""
        ...

    async def fetchval(self, statement: str, *arguments: object) -> Any:
        """Return the first value of the first row; None if there is no row."""
        ...

    async def execute(self, statement: str, *arguments: object) -> str:
        """Carry out a statement."""
        ...

    def transaction(self) -> AbstractAsyncContextManager[object]:
        """Return a transaction, which an exception rolls back."""
        ...

    async def add_listener(self, channel: str, listener: OnNotification) -> None:
        """Call `listener` for each notification of `channel`."""
        ...

    def is_closed(self) -> bool:
        """True if it has ended."""
        ...

    def terminate(self) -> None:
        """End it at once."""
        ...

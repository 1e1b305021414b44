"""Token of a client: given once, or fetched by a function of the application whenever a new one is needed."""

from collections.abc import Awaitable, Callable

from ringway.errors import CommandError
from ringway.protocol.errorcode import TOKEN_EXPIRED

Token = str | Callable[[], Awaitable[str]]
"""A token, or a function that fetches one. What the function raises ends the client, or the attempt if it may pass."""


class ClientToken:
    """The token that a client shows at its next connect command; empty: none."""

    __slots__ = ("_fetch", "_token")

    def __init__(self, token: Token | None) -> None:
        self._token = token if isinstance(token, str) else ""
        self._fetch = token if callable(token) else None

    @property
    def is_renewable(self) -> bool:
        """True if a new one can be fetched."""
        return self._fetch is not None

    async def current(self) -> str:
        """Return the token; fetch one if there is none yet, or `on_refused` has dropped it."""
        return self._token or await self.renew()

    async def renew(self) -> str:
        """Fetch a new token, and return it; the present one if none can be fetched."""
        if self._fetch is not None:
            self._token = await self._fetch()
        return self._token

    def on_refused(self, error: Exception) -> bool:
        """Drop the token if `error` says that its time is over; return True if the next one may be accepted."""
        if not (isinstance(error, CommandError) and error.code == TOKEN_EXPIRED and self.is_renewable and self._token):
            return False
        self._token = ""
        return True

    def drop(self) -> None:
        """Have a new token fetched for the next connect command, if one can be fetched."""
        if self.is_renewable:
            self._token = ""

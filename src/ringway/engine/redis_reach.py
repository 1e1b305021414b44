"""Connects to a Redis server: TCP or TLS, then who we are, what we are called, and which database."""

import asyncio
import ssl
from dataclasses import dataclass, replace

from ringway.engine.redis_link import Link, pack
from ringway.engine.redis_url import NOBODY, Address, Login, show
from ringway.errors import EngineAway, EngineError, EngineUnsuitable

CONNECT_S = 2.0
"""How long one attempt to connect may take."""


@dataclass(frozen=True, slots=True)
class Reach:
    """How servers are connected to; all of one URL in the same way."""

    name: str
    """What CLIENT LIST shows."""
    login: Login = NOBODY
    tls: ssl.SSLContext | None = None
    database: int = 0

    def as_user(self, login: Login) -> "Reach":
        """The same, as another user and without a database: to a sentinel."""
        return replace(self, login=login, database=0)

    async def __call__(self, address: Address, link: Link) -> None:
        """Connect `link` to the server at `address`, ready for commands.

        Raise `EngineAway` where it cannot be reached, `EngineUnsuitable` where it refuses us.
        """
        loop = asyncio.get_running_loop()
        try:
            async with asyncio.timeout(CONNECT_S):
                await loop.create_connection(lambda: link, *address, ssl=self.tls)
                await asyncio.gather(*(link.ask(command) for command in self._greeting()))
        except ssl.SSLError as error:
            link.abort()
            raise EngineUnsuitable(
                f"TLS with Redis at {show(address)} failed ({error}); check the certificates"
            ) from None
        except (OSError, TimeoutError) as error:
            link.abort()
            problem = str(error) or "timed out"
            raise EngineAway(
                f"Redis at {show(address)} cannot be reached ({problem}); start it, or correct the URL"
            ) from None
        except EngineError as error:
            link.abort()
            raise type(error)(f"Redis at {show(address)}: {error}") from None

    def _greeting(self) -> list[bytes]:
        commands = []
        if self.login.user:
            commands.append(pack("AUTH", self.login.user, self.login.password))
        elif self.login.password:
            commands.append(pack("AUTH", self.login.password))
        commands.append(pack("CLIENT", "SETNAME", self.name))
        if self.database:
            commands.append(pack("SELECT", self.database))
        return commands

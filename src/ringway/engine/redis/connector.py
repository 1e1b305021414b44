"""Connects to a Redis server: TCP or TLS, then who we are, what we are called, and which database."""

import asyncio
import ssl
from dataclasses import dataclass, replace

import hiredis

from ringway.engine.redis.command_connection import Link, pack
from ringway.engine.redis.url import NOBODY, Address, Login, show
from ringway.engine.tls import failure
from ringway.errors import ConfigError, EngineAway, EngineError, EngineUnsuitable, Unconfirmed
from ringway.net import connector

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
        at = f"Redis at {show(address)}"
        try:
            await connector().open(lambda: link, *address, CONNECT_S, ssl=self.tls)
            async with asyncio.timeout(CONNECT_S):
                await asyncio.gather(*(link.ask(command) for command in self._greeting()))
        except ConfigError as error:  # the password's file
            link.abort()
            raise EngineUnsuitable(f"{at}: {error}") from None
        except ssl.SSLError as error:
            link.abort()
            raise failure(error, at, "redis://") from None
        except TimeoutError:
            link.abort()
            raise self._silent(at) from None
        except OSError as error:
            link.abort()
            raise EngineAway(f"{at} cannot be reached ({error}); start it, or correct the URL") from None
        except EngineError as error:
            link.abort()
            if isinstance(link.lost_by, ssl.SSLError):
                raise failure(link.lost_by, at, "redis://") from None
            if isinstance(link.lost_by, hiredis.ProtocolError):
                raise EngineUnsuitable(f"{at} says what Redis never says; is it a Redis server?") from None
            if isinstance(error, Unconfirmed):
                raise EngineAway(f"{at} ended the connection during the greeting; {self._hung_up()}") from None
            raise type(error)(f"{at}: {error}") from None

    def _silent(self, at: str) -> EngineAway:
        hint = "it hangs, or has no TLS there (redis://)" if self.tls else "it hangs, or is no Redis server"
        return EngineAway(f"{at} does not answer within {CONNECT_S:g} s: {hint}")

    def _hung_up(self) -> str:
        if self.tls is None:
            return "it stops, or wants TLS (rediss://)"
        return "it stops, or wants a certificate of ours that it trusts (cert_file and key_file)"

    def _greeting(self) -> list[bytes]:
        commands = []
        password = self.login.secret()
        if self.login.user:
            commands.append(pack("AUTH", self.login.user, password))
        elif password:
            commands.append(pack("AUTH", password))
        commands.append(pack("CLIENT", "SETNAME", self.name))
        if self.database:
            commands.append(pack("SELECT", self.database))
        return commands

"""Connecting to a Redis server: TCP or TLS, then login, client name and database."""

import asyncio
import ssl
from dataclasses import dataclass, replace

import hiredis

from ringway.engine.redis.command_connection import CommandConnection, pack
from ringway.engine.redis.url import NO_LOGIN, Address, Login, show
from ringway.engine.tls import tls_error
from ringway.errors import ConfigError, EngineAway, EngineError, EngineUnsuitable, Unconfirmed
from ringway.net import connector
from ringway.net.tls.client import TlsFiles

CONNECT_S = 2.0
"""The deadline of an attempt to connect."""


@dataclass(frozen=True, slots=True)
class RedisConnector:
    """Connects to servers; the same way for all servers of one URL."""

    name: str
    """The name of the connection in CLIENT LIST."""
    login: Login = NO_LOGIN
    tls: TlsFiles | None = None
    database: int = 0
    read_pause_s: float = 0.0
    """The pause after each read of a connection for subscriptions (`PacedReading`); 0: no pause."""

    def as_user(self, login: Login) -> "RedisConnector":
        """Return a connector with the login `login` and without a database: for sentinels."""
        return replace(self, login=login, database=0)

    async def connect(self, address: Address, connection: CommandConnection) -> None:
        """Connect `connection` to the server at `address`, ready for commands.

        Raise `EngineAway` if the server cannot be reached, `EngineUnsuitable` if it refuses the login.
        """
        at = f"Redis at {show(address)}"
        try:
            context = self.tls.context() if self.tls else None
            await connector().open(lambda: connection, *address, CONNECT_S, ssl=context)
            async with asyncio.timeout(CONNECT_S):
                await asyncio.gather(*(connection.execute(command) for command in self._greeting()))
        except ConfigError as error:  # of the password file
            connection.abort()
            raise EngineUnsuitable(f"{at}: {error}") from None
        except ssl.SSLError as error:
            connection.abort()
            raise tls_error(error, at, "redis://") from None
        except TimeoutError:
            connection.abort()
            raise self._silent(at) from None
        except OSError as error:
            connection.abort()
            raise EngineAway(f"{at} cannot be reached ({error}); start it, or correct the URL") from None
        except EngineError as error:
            connection.abort()
            if isinstance(connection.lost_by, ssl.SSLError):
                raise tls_error(connection.lost_by, at, "redis://") from None
            if isinstance(connection.lost_by, hiredis.ProtocolError):
                raise EngineUnsuitable(f"{at} says what Redis never says; is it a Redis server?") from None
            if isinstance(error, Unconfirmed):
                raise EngineAway(f"{at} ended the connection during the greeting; {self._why_ended()}") from None
            raise type(error)(f"{at}: {error}") from None

    def _silent(self, at: str) -> EngineAway:
        hint = "it hangs, or has no TLS there (redis://)" if self.tls else "it hangs, or is no Redis server"
        return EngineAway(f"{at} does not answer within {CONNECT_S:g} s: {hint}")

    def _why_ended(self) -> str:
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

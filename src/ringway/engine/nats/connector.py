"""Connecting to a NATS server: TCP, its INFO, TLS, and the login.

    server                       client
    INFO {...}            ->
                          <-     TLS handshake       (tls://, or the server requires it; before INFO with tls_first)
                          <-     CONNECT {...} PING
    PONG or -ERR '...'    ->

Each step has a deadline. If the URL demands TLS, no secret is sent before TLS is established, and no data from before
TLS is used after it.
"""

import asyncio
from dataclasses import dataclass
from typing import Any

from ringway.engine.abort import abort_transport
from ringway.engine.nats import command
from ringway.engine.nats.failure import OffersNoTls, ServerRefused
from ringway.engine.nats.info import NatsInfo, read_info_line
from ringway.engine.nats.line_reader import LineReader
from ringway.engine.nats.login import login_options
from ringway.engine.nats.server_pool import NatsAddress
from ringway.engine.nats.url import NatsUrl
from ringway.net import connector
from ringway.net.tls.client import TlsFiles
from ringway.protocol.address import server_hostname
from ringway.version import VERSION

STEP_S = 2.0
"""The deadline of each step: TCP, INFO, TLS, login."""

PROTOCOL = 1
"""The version of the client protocol: the server sends INFO again when its cluster changes."""


@dataclass(frozen=True, slots=True)
class Greeted:
    """A connection to `server` after the login. The caller owns the transport of `lines`."""

    lines: LineReader
    server: NatsAddress
    info: NatsInfo


class NatsConnector:
    """Connects to the servers of one URL, as `name`. Raise `ConfigError` if a file of the URL cannot be used."""

    def __init__(self, where: NatsUrl, name: str, read_pause_s: float = 0.0) -> None:
        self.where = where
        self.read_pause_s = read_pause_s
        """The pause after each read of an established connection (`PacedReading`); 0: no pause."""
        self._name = name
        self._tls = where.tls_files()
        login_options(where, "")  # to find a file that cannot be used at once

    async def connect(self, server: NatsAddress) -> Greeted:
        """Connect to `server` within `STEP_S` for each step. Raise one of `FAILURES`; then no connection is open."""
        lines = LineReader()
        await connector().open(lambda: lines, server.host, server.port, STEP_S)
        try:
            return await self._greet(lines, server)
        except BaseException:
            abort_transport(lines.transport)
            raise

    async def _greet(self, lines: LineReader, server: NatsAddress) -> Greeted:
        if self.where.tls_first:
            lines = await self._secure(lines, server)
        async with asyncio.timeout(STEP_S):
            info = read_info_line(await lines.read_line())
        if self.where.tls and not info.tls_required and not info.tls_available:
            raise OffersNoTls
        if (self.where.tls or info.tls_required) and not self.where.tls_first:
            lines = await self._secure(lines, server)
        try:
            async with asyncio.timeout(STEP_S):
                return Greeted(lines, server, await self._log_in(lines, info))
        except BaseException:
            abort_transport(lines.transport)
            raise

    async def _secure(self, lines: LineReader, server: NatsAddress) -> LineReader:
        """Return the connection in TLS."""
        if lines.take_unread():
            raise ServerRefused("it went on in plain text before TLS")
        if self._tls is None:
            self._tls = TlsFiles()  # the server demands TLS, though the URL does not
        secure = LineReader()
        name = server_hostname(server.tls_name or server.host)
        if lines.transport.is_closing():
            raise ConnectionResetError("it hung up")
        async with asyncio.timeout(STEP_S):
            transport = await asyncio.get_running_loop().start_tls(
                lines.transport, secure, self._tls.context(), server_hostname=name
            )
        if transport is None:
            raise ConnectionResetError("it hung up")
        secure.connection_made(transport)  # `start_tls` does not call it
        return secure

    async def _log_in(self, lines: LineReader, info: NatsInfo) -> NatsInfo:
        """Log in; return the newest INFO once the server has admitted this client."""
        lines.transport.write(command.connect(self._options(info)) + command.PING)
        while (line := await lines.read_line()) != b"PONG":
            if line.startswith(b"-ERR"):
                raise ServerRefused(line[4:].strip().decode(errors="replace"))
            if line.startswith(b"INFO "):
                info = read_info_line(line)
            elif line == b"PING":
                lines.transport.write(command.PONG)
            elif line != b"+OK":
                raise ServerRefused("it answers the login with something that NATS never says")
        return info

    def _options(self, info: NatsInfo) -> dict[str, Any]:
        options = {
            "verbose": False,
            "pedantic": False,
            "lang": "python-ringway",
            "version": VERSION,
            "protocol": PROTOCOL,
            "name": self._name,
            "headers": info.headers,
            "no_responders": info.headers,
        }
        signs = self.where.creds_file or self.where.nkey or self.where.nkey_file
        if signs and not info.nonce:
            return options  # the server requires no signature
        return options | login_options(self.where, info.nonce)

"""Check of the server beside the sidecar: a TCP connection, or an HTTP request that is answered well."""

import asyncio
import enum
import ssl
from typing import NamedTuple

from ringway.net import connector
from ringway.net.http_get import HttpAnswerError, open_request, read_status, why_unanswered
from ringway.protocol.address import bracketed
from ringway.protocol.server_address import ServerAddress


class ServerHealth(enum.Enum):
    """What a check found."""

    WELL = enum.auto()
    ABSENT = enum.auto()  # nothing listens at the port
    ILL = enum.auto()  # it listens, and does not answer as it should


class ServerFinding(NamedTuple):
    """The result of a check. `why` says what was asked and what came; `rule` what would be well."""

    health: ServerHealth
    why: str = ""
    rule: str = ""

    @property
    def is_well(self) -> bool:
        """True if the server is well."""
        return self.health is ServerHealth.WELL


_WELL = ServerFinding(ServerHealth.WELL)


async def check_server(address: ServerAddress, path: str, timeout_s: float) -> ServerFinding:
    """Return the health of the server at `address`; with a `path`, GET must be answered by 200 to 399."""
    what = f"GET {path}" if path else "a TCP connection"
    rule = "the answer has a status below 400" if path else "the port accepts a TCP connection"
    where = f"{bracketed(address.host)}:{address.port}"
    try:
        status = await _ask(address, path, timeout_s)
    except ConnectionRefusedError:
        return ServerFinding(ServerHealth.ABSENT, f"{what} at {where}: nothing listens there", rule)
    except (OSError, TimeoutError, ValueError, HttpAnswerError) as error:
        return ServerFinding(ServerHealth.ILL, f"{what} at {where}: {why_unanswered(error, timeout_s)}", rule)
    if 200 <= status < 400:
        return _WELL
    return ServerFinding(ServerHealth.ILL, f"{what} at {where}: the status is {status}", rule)


async def _ask(address: ServerAddress, path: str, timeout_s: float) -> int:
    """Return the status of the answer; 200 without a `path`, if there is a connection."""
    tls = _unverified() if address.tls else None
    async with asyncio.timeout(timeout_s):
        if not path:
            _, writer = await connector().streams(address.host, address.port, timeout_s, ssl=tls)
            writer.transport.abort()
            return 200
        async with open_request("GET", address.host, address.port, path, address.authority, ssl=tls) as reader:
            return await read_status(reader)


def _unverified() -> ssl.SSLContext:
    """Return a context for a server on this machine, whose certificate is for the name that clients use."""
    context = ssl.create_default_context()
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    return context

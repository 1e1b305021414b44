"""Check of the server beside the sidecar: a TCP connection, or an HTTP request that is answered well."""

import asyncio
import enum
import ssl

from ringway.net import connector
from ringway.net.http_get import HttpAnswerError, open_request, read_status
from ringway.protocol.server_address import ServerAddress


class ServerHealth(enum.Enum):
    """What a check found."""

    WELL = enum.auto()
    ABSENT = enum.auto()  # nothing listens at the port
    ILL = enum.auto()  # it listens, and does not answer as it should


async def check_server(address: ServerAddress, path: str, timeout_s: float) -> ServerHealth:
    """Return the health of the server at `address`; with a `path`, GET must be answered by 200 to 399."""
    tls = _unverified() if address.tls else None
    try:
        async with asyncio.timeout(timeout_s):
            if not path:
                _, writer = await connector().streams(address.host, address.port, timeout_s, ssl=tls)
                writer.transport.abort()
                return ServerHealth.WELL
            async with open_request("GET", address.host, address.port, path, address.authority, ssl=tls) as reader:
                status = await read_status(reader)
            return ServerHealth.WELL if 200 <= status < 400 else ServerHealth.ILL
    except ConnectionRefusedError:
        return ServerHealth.ABSENT
    except (OSError, TimeoutError, ValueError, HttpAnswerError):
        return ServerHealth.ILL


def _unverified() -> ssl.SSLContext:
    """Return a context for a server on this machine, whose certificate is for the name that clients use."""
    context = ssl.create_default_context()
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    return context

"""Opener of wires: the TCP connection and the WebSocket handshake, for the first connection and after each move."""

import asyncio
import ssl as tls
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from http import HTTPStatus

import picows
from picows.url import parse_url

from ringway.client.discovery import default_tls
from ringway.client.handshake import check_answer
from ringway.client.retry import retry_after_s
from ringway.client.url import is_secure
from ringway.client.wire import MoveFollower, Receiver, Wire
from ringway.errors import UpgradeError
from ringway.framing import FramingProtocol
from ringway.net import connector
from ringway.protocol.address import shown


@dataclass(frozen=True, slots=True)
class Terms:
    """Settings of all wires of one client. `headers` include the subprotocols already (`request_headers`)."""

    message_bytes_max: int
    close_timeout_s: float
    read_buffer_bytes: int = 2048
    headers: Sequence[tuple[str, str]] = ()
    subprotocols: Sequence[str] = ()
    ssl: tls.SSLContext | None = None


async def open_wire(
    url: str, receiver: Receiver, terms: Terms, *, timeout_s: float, follow: MoveFollower | None = None
) -> Wire:
    """Connect to `url`, a `ws(s)://` URL, and return the open wire; all within `timeout_s`.

    With `follow` the wire obeys moves. Raise `OSError` (`TimeoutError` is a subclass) if the server is not reached,
    `UpgradeError` if it refuses or answers wrongly. When cancelled, nothing stays open.
    """
    wire = Wire(receiver, terms.message_bytes_max, terms.close_timeout_s, follow)
    await join(url, wire, terms, timeout_s=timeout_s)
    return wire


async def join(url: str, wire: Wire, terms: Terms, *, timeout_s: float) -> None:
    """Connect `wire` to `url`, for the first time or after a move. Errors are those of `open_wire`.

    If the wire has a subprotocol already, the server must answer the same.
    """

    def accept(request: picows.WSUpgradeRequest, response: picows.WSUpgradeResponse) -> Wire:
        answer = [(name.lower(), value) for name, value in response.headers.items()]
        wire.agree(check_answer(request.headers["Sec-WebSocket-Key"], terms.subprotocols, answer))
        return wire

    try:
        async with asyncio.timeout(timeout_s):
            listener = await _upgrade(url, accept, terms, timeout_s)
    except picows.WSHandshakeError as error:
        raise _refusal(url, error) from None
    except TimeoutError:
        raise TimeoutError(f"{shown(url)} did not complete the handshake within {timeout_s:g} s") from None
    if listener is not wire:
        raise ConnectionResetError(f"{shown(url)} closed the connection before it answered the handshake")


async def _upgrade(url: str, accept: Callable[..., Wire], terms: Terms, timeout_s: float) -> object:
    """Connect to `url`, and return the result of `accept` for the server's answer; None if there was no answer."""
    target = parse_url(url)

    def protocol() -> FramingProtocol:
        return FramingProtocol(
            accept,
            is_client_side=True,
            message_bytes_max=terms.message_bytes_max,
            read_buffer_bytes=terms.read_buffer_bytes,
            host_port=target.netloc,
            path=target.resource_name,
            headers=terms.headers,
        )

    ssl = (terms.ssl or default_tls()) if is_secure(url) else None
    transport, opened = await connector().open(protocol, target.host, target.port, timeout_s, ssl=ssl)
    try:
        await opened.wait_until_handshake_complete()
    except BaseException:
        transport.abort()
        raise
    return opened.listener


def _refusal(url: str, error: picows.WSHandshakeError) -> UpgradeError:
    if isinstance(error, picows.WSInvalidStatusError) and error.response is not None:
        headers = tuple((name.lower(), value) for name, value in error.response.headers.items())
        phrase = HTTPStatus(error.response.status).phrase
        text = f"{shown(url)} answered {phrase} to the handshake"
        return UpgradeError(int(error.response.status), text, headers, retry_after_s(headers, time.time()))
    return UpgradeError(502, f"{shown(url)} does not answer the handshake rightly: {error}")

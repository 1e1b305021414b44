"""Discovery of a node at a gateway: `GET /gateway`, by minimal HTTP."""

import asyncio
import functools
import ssl as tls
import time

import msgspec

from ringway.client.retry import retry_after_s
from ringway.client.url import address_of, check_url, is_http, is_secure
from ringway.errors import ConfigError, ProtocolError, UpgradeError
from ringway.net.http_get import AnswerCutOff, AnswerNotHttp, AnswerTooLong, HttpAnswer, open_get, read_answer
from ringway.protocol.address import shown
from ringway.protocol.decoding import reader

ANSWER_BYTES_MAX = 64 * 1024
"""An answer is a few hundred bytes; a peer that sends more than this is no gateway."""


class Alternate(msgspec.Struct, frozen=True):
    """A node to try if the chosen node cannot be reached."""

    url: str
    node: str = ""


class GatewayAnswer(msgspec.Struct, frozen=True):
    """A gateway's answer (PROTOCOL.md P-3.1): connect to `url` as it is, after `wait_ms`, within `expires_in` seconds.

    `ticket` is empty for backends, which know no tickets and do not move their clients. `reconnect_window_ms` is
    the time over which to spread the reconnect after the connection is lost.
    """

    url: str
    node: str = ""
    ticket: str = ""
    expires_in: float = 0.0
    alternates: tuple[Alternate, ...] = ()
    wait_ms: float = 0.0
    reconnect_window_ms: float = 0.0

    def urls(self) -> tuple[str, ...]:
        """The URLs to connect to, in the order of preference."""
        return (self.url, *(alternate.url for alternate in self.alternates))


class _Refusal(msgspec.Struct, frozen=True):
    """The body of a gateway's 503."""

    wait_ms: float = 0.0


_read_placement = reader(msgspec.json.Decoder(GatewayAnswer).decode, "a placement")
_read_refusal = reader(msgspec.json.Decoder(_Refusal).decode, "a refusal")


@functools.cache
def default_tls() -> tls.SSLContext:
    """Return the default context for https and wss; made once, since it reads the system's certificates."""
    return tls.create_default_context()


async def discover(url: str, timeout_s: float, ssl: tls.SSLContext | None = None) -> GatewayAnswer:
    """Ask `url` (`url.discovery_url`) for a node, within `timeout_s`.

    Raise `OSError` or `TimeoutError` if the gateway is not reached, `UpgradeError` if its answer is no placement: with
    the gateway's status and headers (503 with Retry-After if no node is free), or 502 for an answer that cannot be
    used.
    """
    try:
        async with asyncio.timeout(timeout_s):
            answer = await request_answer(url, timeout_s, ssl)
    except TimeoutError:
        raise TimeoutError(f"{shown(url)} did not answer within {timeout_s:g} s") from None
    if answer.status != 200:
        wait_s = _wait_s(answer.body) or retry_after_s(answer.headers, time.time())
        raise UpgradeError(answer.status, f"{shown(url)} answered {answer.status}", answer.headers, wait_s)
    try:
        placement = _read_placement(answer.body)
        for place in placement.urls():
            check_url(place)
            if is_http(place):
                raise ConfigError(f"{shown(place)} is no WebSocket URL")  # noqa: TRY301
    except (ProtocolError, ConfigError) as error:
        raise UpgradeError(502, f"the answer of {shown(url)} is no placement: {error}") from None
    if is_secure(url) and not all(is_secure(place) for place in placement.urls()):
        raise UpgradeError(502, f"{shown(url)} sent the client to an unencrypted node, which is refused")
    return placement


def _wait_s(body: bytes) -> float:
    """The pause that the body of a refusal requests; 0 without a request, or if it is no JSON."""
    try:
        return max(0.0, _read_refusal(body).wait_ms / 1000)
    except ProtocolError:
        return 0.0


async def request_answer(url: str, timeout_s: float, ssl: tls.SSLContext | None) -> HttpAnswer:
    """Send `GET url`, and return the answer. Raise `OSError`, or `UpgradeError` 502 if it is not usable HTTP."""
    host, port = address_of(url)
    target = "/" + url.split("/", 3)[3]
    authority = url.split("/", 3)[2]
    context = (ssl or default_tls()) if is_secure(url) else None
    name = shown(url)
    headers = [("Accept", "application/json")]
    try:
        async with open_get(host, port, target, authority, headers=headers, ssl=context, timeout_s=timeout_s) as reader:
            answer = await read_answer(reader, ANSWER_BYTES_MAX)
        if not answer.body and not answer.complete:
            raise AnswerCutOff("the answer has no body")  # noqa: TRY301
    except AnswerCutOff:
        raise ConnectionResetError(f"{name} closed the connection before its answer was whole") from None
    except AnswerTooLong:
        raise UpgradeError(502, f"{name} answered more than {ANSWER_BYTES_MAX} bytes") from None
    except AnswerNotHttp as error:
        raise UpgradeError(502, f"{name} does not answer in HTTP: {error.detail}") from None
    return answer

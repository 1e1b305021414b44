"""Server API over HTTP, for backends: `ringway.Server`. It goes on at the next node if one is down."""

import asyncio
import ssl as tls
from collections.abc import Sequence
from types import TracebackType
from typing import Self

from ringway.errors import CommandError, ConfigError
from ringway.net.http_get import HttpAnswer, HttpAnswerError
from ringway.net.http_pool import HttpPool
from ringway.protocol.address import read_url, shown
from ringway.protocol.errorcode import INTERNAL
from ringway.protocol.server_api import KEY_HEADER, PATH
from ringway.server_methods import ServerMethods

ANSWER_BYTES_MAX = 64 * 1024 * 1024
"""The longest answer that is read."""

IDLE_S = 15.0
"""A connection that was not used for this long is not used again; less than nodes keep it."""

_PORTS = {"http": 80, "https": 443}
_FORM = "give the URL of a node's server API, as http://127.0.0.1:9200"
_AWAY = frozenset({502, 503, 504})
"""Statuses of a proxy whose node is away: the call was not carried out, as far as the proxy knows."""


class Server(ServerMethods):
    """Calls the server API of nodes: publish, cut users off, ask presence, and so on, with one connection pool.

    `url` is one node's API or several: calls go to one of them, and to the next when it cannot be reached or does not
    answer within `attempt_timeout_s`; all attempts together take `timeout_s`. If its answer was lost, a call may have
    been carried out, so it is repeated only if that does no harm: all but a batch, and a publish or broadcast without
    an `idempotency_key`. `key` is the API key. At most `connections_max` calls are under way, further ones wait.

    Methods raise `OSError` if no node could be reached, `TimeoutError` if none answered in time, and `ConnectionError`
    (an `OSError`) if an answer was lost: the last two leave open whether the call was carried out. `ConfigError` for
    arguments that cannot work.

    Use it as `async with Server(url, key=...) as server`, or call `close` in the end. It belongs to one event loop.
    """

    def __init__(
        self,
        url: str | Sequence[str],
        *,
        key: str = "",
        timeout_s: float = 10.0,
        attempt_timeout_s: float = 5.0,
        connections_max: int = 64,
        ssl: tls.SSLContext | None = None,
    ) -> None:
        urls = [url] if isinstance(url, str) else list(url)
        if not urls:
            raise ConfigError(f"no URL is given; {_FORM}")
        if not (key.isascii() and key.isprintable()):
            raise ConfigError("the API key has characters that no header can have; give printable ASCII")
        if timeout_s <= 0 or attempt_timeout_s <= 0 or connections_max < 1:
            raise ConfigError(
                f"timeout_s={timeout_s:g}, attempt_timeout_s={attempt_timeout_s:g} or "
                f"connections_max={connections_max} cannot work; give times above 0 and at least 1 connection"
            )
        self._timeout_s = timeout_s
        self._attempt_timeout_s = attempt_timeout_s
        self._headers = [("Content-Type", "application/json"), *([(KEY_HEADER, key)] if key else [])]
        self._slots = asyncio.Semaphore(connections_max)
        self._nodes = [_Node(each, ssl, connections_max, attempt_timeout_s / 2) for each in urls]
        self._first = 0  # the node that answered last

    async def close(self) -> None:
        """Close all connections; calls under way fail. Idempotent."""
        for node in self._nodes:
            node.pool.close()

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, value: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.close()

    async def call(self, method: str, body: bytes, *, may_repeat: bool) -> bytes:
        """Return the answer to a request, both as JSON (`ServerMethods.call`)."""
        try:
            async with asyncio.timeout(self._timeout_s) as limit, self._slots:
                return await self._call(method, body, may_repeat=may_repeat)
        except TimeoutError:
            if limit.expired():
                raise TimeoutError(f"there was no answer to {method} within {self._timeout_s:g} s") from None
            raise

    async def _call(self, method: str, body: bytes, *, may_repeat: bool) -> bytes:
        """Try the nodes, beginning with the one that answered last; raise what the last one failed with."""
        first, failure = self._first, OSError("no node was tried")
        for step in range(len(self._nodes)):
            at = (first + step) % len(self._nodes)
            node = self._nodes[at]
            try:
                async with asyncio.timeout(self._attempt_timeout_s):
                    answer = await node.pool.post(body, self._headers, may_repeat=may_repeat, under=f"{PATH}/{method}")
            except HttpAnswerError as error:
                failure = ConnectionError(f"{node.name}: {error}")
                if not may_repeat:
                    raise failure from None
            except TimeoutError:
                failure = TimeoutError(f"{node.name} did not answer {method} within {self._attempt_timeout_s:g} s")
                if not may_repeat:
                    raise failure from None
            except OSError as error:  # there was no connection, so nothing was sent
                failure = error
            else:
                if answer.status not in _AWAY:
                    self._first = at
                    return _answer_in(node, answer)
                failure = ConnectionError(f"{node.name} answered {answer.status}: the node behind it is away")
                if not may_repeat:
                    raise failure
        raise failure


class _Node:
    """The API of one node."""

    def __init__(self, url: str, ssl: tls.SSLContext | None, connections_max: int, connect_s: float) -> None:
        parts = read_url(url.rstrip("/").removesuffix(PATH), _PORTS, _FORM, "give the API key as `key`")
        self.name = shown(url)
        context = (ssl or tls.create_default_context()) if parts.scheme == "https" else None
        self.pool = HttpPool(
            parts, context, idle_max=connections_max, idle_s=IDLE_S, bytes_max=ANSWER_BYTES_MAX, connect_s=connect_s
        )


def _answer_in(node: _Node, answer: HttpAnswer) -> bytes:
    """Return the body of an answer of the API; raise `CommandError` for one of something else."""
    if answer.status == 200 or answer.body.startswith(b'{"error"'):
        return answer.body
    raise CommandError(INTERNAL, f"{node.name} answered {answer.status}, and is not the server API of a node; check it")

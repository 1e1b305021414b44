"""GET of a measure: the whole body of a 200, with a bound. Deadlines are the caller's."""

import ssl
from typing import TYPE_CHECKING

from ringway.collect.collector import CollectFailed, read_source
from ringway.net.http_get import AnswerTooLong, HttpAnswerError, open_get, read_answer
from ringway.protocol.address import authority

if TYPE_CHECKING:
    from collections.abc import Mapping

BODY_BYTES_MAX = 1 << 20
"""Of an answer with its head. A page of Prometheus metrics has some 100 KiB."""

PORTS = {"http": 80, "https": 443}


async def fetch(url: str, headers: "Mapping[str, str]", tls: ssl.SSLContext | None) -> bytes:
    """Return the body at `url`; raise `CollectFailed`, or `OSError` if there is no connection."""
    source = read_source(url, PORTS)
    target = (source.path or "/") + (f"?{source.query}" if source.query else "")
    host = authority(source.host, source.port, PORTS[source.scheme])
    try:
        async with open_get(
            source.host,
            source.port,
            target,
            host,
            headers=[("User-Agent", "ringway"), *headers.items()],
            ssl=tls if source.scheme == "https" else None,
        ) as reader:
            answer = await read_answer(reader, BODY_BYTES_MAX)
    except AnswerTooLong as error:
        raise CollectFailed(f"{error}; ask for less") from None
    except HttpAnswerError as error:
        raise CollectFailed(str(error)) from None
    if answer.status != 200:
        raise CollectFailed(f"the answer has the status {answer.status}; it must be 200")
    return answer.body

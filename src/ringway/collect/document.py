"""Number in a JSON document over HTTP: `http://{host}:8080/status,path=system.load.0`."""

import ssl

import msgspec

from ringway.collect.collector import CollectFailed, Facts, check_address, fill
from ringway.collect.http import PORTS, fetch
from ringway.errors import ProtocolError
from ringway.protocol.decoding import reader

read_document = reader(msgspec.json.Decoder().decode, "the JSON of the answer")


class DocumentCollector:
    """Gets the document at `url` and returns the number at `path`: names and indices with dots between them.

    Without a path the document itself is the number.
    """

    def __init__(self, url: str, path: str, bearer: str) -> None:
        self._url = check_address(url, PORTS)
        self._path = tuple(path.split(".")) if path else ()
        self._headers = {"Accept": "application/json", **({"Authorization": f"Bearer {bearer}"} if bearer else {})}
        self._tls = ssl.create_default_context() if url.startswith("https:") else None

    async def collect(self, node: Facts) -> float:
        """Return the number."""
        body = await fetch(fill(self._url, node), self._headers, self._tls)
        try:
            document = read_document(body)
        except ProtocolError as error:
            raise CollectFailed(str(error)) from None
        return number_at(document, self._path)

    async def close(self) -> None:
        """Do nothing: no connection is open."""


def number_at(document: object, path: tuple[str, ...]) -> float:
    """Return the number at `path` in `document`; raise `CollectFailed` with the valid part of the path."""
    found = document
    for depth, step in enumerate(path):
        if isinstance(found, dict) and step in found:
            found = found[step]
        elif isinstance(found, list) and step.isdigit() and int(step) < len(found):
            found = found[int(step)]
        else:
            raise CollectFailed(f"the document has no {'.'.join(path[: depth + 1])!r}")
    if isinstance(found, bool) or not isinstance(found, (int, float)):
        where = ".".join(path) or "document"
        raise CollectFailed(f"the value at {where!r} is no number but {_kind(found)}")
    try:
        return float(found)
    except OverflowError:
        raise CollectFailed(f"the value at {'.'.join(path) or 'document'!r} is too large for a number") from None


def _kind(found: object) -> str:
    kinds = {dict: "an object", list: "a list", str: "a text", bool: "true or false", type(None): "null"}
    return kinds.get(type(found), type(found).__name__)

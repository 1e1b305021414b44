"""Compression by `permessage-deflate` (RFC 7692) on a WebSocket that may be opened again at a different server.

By default a compressor refers to earlier messages ("context takeover"), so a new server could not read a client's next
message, nor the client that of the new server. RFC 7692, 7.1.1, has a parameter against that for each direction, and a
client must obey both even if it has not offered them:

- `server_no_context_takeover`, if the offer has it: a server that accepts the offer must not refer to earlier messages.
- `client_no_context_takeover`, in an answer: the client must not. The server need not have demanded it: it reads such
  messages with or without its own state.

With both, every message stands for itself. What remains to be equal at the next server are the sizes of the windows.
"""

import zlib
from collections.abc import Sequence

from ringway.protocol.upgrade import Headers, tokens_of

DEFLATE = "permessage-deflate"
SERVER_ALONE = "server_no_context_takeover"
CLIENT_ALONE = "client_no_context_takeover"

_EXTENSIONS = "sec-websocket-extensions"


def offers_without_context(offers: Sequence[str]) -> tuple[str, ...]:
    """Return the offers of `permessage-deflate` among a client's `offers`, so that every message stands for itself.

    All other extensions are left out: nothing is known about their state.
    """
    return tuple(
        "; ".join((offer, *(name for name in (SERVER_ALONE, CLIENT_ALONE) if name not in parameters)))
        for offer, (extension, parameters) in ((offer, _read(offer)) for offer in offers)
        if extension == DEFLATE
    )


def agreed_extensions(headers: Headers) -> list[str]:
    """Return the extensions of a server's answer, each in one form: equal forms need equal state of the client."""
    return [
        "; ".join((extension, *sorted(f"{name}={value}" for name, value in parameters.items() if name != CLIENT_ALONE)))
        for extension, parameters in map(_read, tokens_of(headers, _EXTENSIONS))
    ]


def holds_context(agreed: Sequence[str]) -> bool:
    """Return True if a message may refer to earlier ones, by what `agreed_extensions` returned."""
    if not agreed:
        return False
    extension, parameters = _read(agreed[0])
    return len(agreed) > 1 or extension != DEFLATE or SERVER_ALONE not in parameters


def without_client_context(headers: Headers) -> Headers:
    """Return the headers of an answer without context, with `client_no_context_takeover` for the client."""
    agreed = tokens_of(headers, _EXTENSIONS)
    if not agreed or CLIENT_ALONE in _read(agreed[0])[1]:
        return headers
    return [header for header in headers if header[0] != _EXTENSIONS] + [(_EXTENSIONS, f"{agreed[0]}; {CLIENT_ALONE}")]


def inflated(data: bytes, limit: int) -> bytes:
    """Return up to `limit` bytes of the message of which `data` is the beginning; empty if `data` is wrong."""
    try:
        return zlib.decompressobj(wbits=-zlib.MAX_WBITS).decompress(data, limit)
    except zlib.error:
        return b""


def _read(extension: str) -> tuple[str, dict[str, str]]:
    """Return the name of an extension, and its parameters with their values; an empty value is none."""
    name, *parameters = (part.strip() for part in extension.split(";"))
    pairs = (parameter.partition("=") for parameter in parameters)
    return name.lower(), {key.strip().lower(): value.strip().strip('"') for key, _, value in pairs}

"""JSON on one line: a frame of the protocol has one object a line, so that no value in it may have a line break."""

import msgspec


def is_json_line(raw: bytes) -> bool:
    """True if `raw` is empty, or one JSON value without line breaks: it is copied into frames, one object a line."""
    return not raw or json_line(raw) == raw


def json_line(raw: bytes) -> bytes:
    """Return the JSON value `raw` without white space around its parts; b'' if it is not JSON, or null."""
    try:
        value = msgspec.json.decode(raw)
        return b"" if value is None else msgspec.json.format(raw, indent=-1)
    except (ValueError, RecursionError):
        return b""

"""JSON in base64: the form in which fields with `b64` in their name carry it, in tokens, hooks and the server API."""

import base64

import msgspec


def read_json_base64(text: str) -> bytes:
    """Return the JSON in `text`, in UTF-8. Raise `ValueError`, which says after the name of the field what is wrong."""
    try:
        data = base64.b64decode(text, validate=True)
    except ValueError:
        raise ValueError("is not base64; encode it with its padding") from None
    try:
        data.decode()
        msgspec.json.decode(data)
    except (ValueError, RecursionError):
        raise ValueError("is not JSON inside; clients get it as JSON, so send JSON, or a text in base64") from None
    return data

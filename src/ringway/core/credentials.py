"""Credentials of a client: who it is, what others are told of it, and until when it may stay.

They are made of a verified token, travel with the client's session when it is moved (`core.session`), and belong to one
connection at a time. A client without any has `ANONYMOUS`, one object for all.
"""

from math import inf, isnan

import msgspec

from ringway.protocol.json_line import is_json_line

USER_BYTES_MAX = 1024
"""The longest user id, in UTF-8."""

INFO_BYTES_MAX = 4096
"""The longest info of a client, of a subscription, and the longest meta: each publication and presence entry has it."""

JTI_BYTES_MAX = 1024
"""The longest id of a token, in UTF-8."""


class Credentials(msgspec.Struct, frozen=True, array_like=True):
    """The identity of one client. Times are Unix seconds.

    `info` is told to other clients as `conn_info`; `meta` is told to hooks only. Both are JSON on one line, or empty.
    """

    user: str = ""  # empty: anonymous
    info: bytes = b""
    meta: bytes = b""
    expires_at: float = inf
    issued_at: float = 0.0  # of its token; 0: not known
    jti: str = ""  # the id of its token
    connected_at: float = 0.0  # the time of its connect command at its first node; 0: not known


ANONYMOUS = Credentials()
"""The credentials of clients without any."""


def credentials_problem(credentials: Credentials) -> str:
    """Return the bound that `credentials` exceed, with value, rule and remedy; '' if there is no problem."""
    for name, value, most in (
        ("user id", credentials.user.encode(errors="replace"), USER_BYTES_MAX),
        ("token's id (jti)", credentials.jti.encode(errors="replace"), JTI_BYTES_MAX),
        ("info", credentials.info, INFO_BYTES_MAX),
        ("meta", credentials.meta, INFO_BYTES_MAX),
    ):
        if len(value) > most:
            return f"the {name} has {len(value)} bytes; at most {most} are allowed, so make it shorter"
    if not (is_json_line(credentials.info) and is_json_line(credentials.meta)):
        return "the info or meta is not JSON on one line; give one JSON value"
    if any(isnan(at) for at in (credentials.expires_at, credentials.issued_at, credentials.connected_at)):
        return "a time is not a number; give Unix seconds"
    return ""

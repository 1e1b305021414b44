"""Named requests: a request that says which incarnations shall carry it out (PROTOCOL.md P-9.8.3).

    count 1 · incarnation 4, so many times · request

Nobody knows an incarnation before its process starts, so a request that names one was not recorded before.
"""

from collections.abc import Collection

from ringway.protocol.seal import SealError, SealFault
from ringway.types import Incarnation

_BYTES = 4

RECEIVERS_MAX = 255


def name_receivers(receivers: Collection[Incarnation], request: bytes) -> bytes:
    """Return `request` for `receivers`; of more than `RECEIVERS_MAX`, for some of them."""
    named = sorted(receivers)[:RECEIVERS_MAX]
    return b"".join((bytes((len(named),)), *(bytes.fromhex(each) for each in named), request))


def read_named(body: bytes) -> tuple[frozenset[Incarnation], bytes]:
    """Return the receivers that `body` names, and the request; raise `SealError` if it is too short."""
    count = body[0] if body else 0
    end = 1 + count * _BYTES
    if not count or len(body) < end:
        raise SealError(SealFault.UNREADABLE, f"a named request of {len(body)} bytes names nobody")
    receivers = (body[at : at + _BYTES].hex() for at in range(1, end, _BYTES))
    return frozenset(Incarnation(each) for each in receivers), body[end:]

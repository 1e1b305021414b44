"""Rendezvous hashing by key: exact shares for any weights, least movement. The recommended policy for keys.

See `core.placement.keyed` and `core.hashing.rendezvous`.
"""

from typing import ClassVar

from ringway.core.placement.keyed import Keyed


class Rendezvous(Keyed):
    """Places by key, with rendezvous hashing."""

    name: ClassVar[str] = "rendezvous"
    table: ClassVar[str] = "rendezvous"

"""Consistent hashing by key on a ring with virtual nodes. See `core.placement.keyed` and `core.hashing.ring`."""

from typing import ClassVar

from ringway.core.placement.keyed import Keyed


class Ring(Keyed):
    """Places by key, with a hash ring."""

    name: ClassVar[str] = "ring"
    table: ClassVar[str] = "ring"

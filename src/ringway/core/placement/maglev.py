"""Maglev hashing by key: the most even shares, at the price of a few more moved keys.

See `core.placement.keyed` and `core.hashing.maglev`.
"""

from typing import ClassVar

from ringway.core.placement.keyed import Keyed


class Maglev(Keyed):
    """Places by key, with a Maglev table."""

    name: ClassVar[str] = "maglev"
    table: ClassVar[str] = "maglev"

"""Catalogue of tables, by name."""

from ringway.core.hashing.maglev import MaglevTable
from ringway.core.hashing.rendezvous import RendezvousTable
from ringway.core.hashing.ring import HashRing
from ringway.core.hashing.table import Table

_KINDS: dict[str, type[HashRing] | type[RendezvousTable] | type[MaglevTable]] = {
    "rendezvous": RendezvousTable,
    "ring": HashRing,
    "maglev": MaglevTable,
}

TABLES = tuple(_KINDS)
"""The names of the tables."""


def make_table(name: str, secret: bytes) -> Table:
    """Return an empty table. Raise `LookupError` if no table has this name."""
    if name not in _KINDS:
        raise LookupError(f"there is no table {name!r}; there are {', '.join(TABLES)}")
    return _KINDS[name]({}, secret)

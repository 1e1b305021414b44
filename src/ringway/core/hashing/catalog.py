"""The tables there are, by name."""

from ringway.core.hashing.table import Table

TABLES = ("rendezvous", "ring", "maglev")
"""The names of the tables there are."""


def make_table(name: str, secret: bytes) -> Table:
    """Return an empty table. Tables load numpy, which takes time and memory only where keys are used."""
    if name == "ring":
        from ringway.core.hashing.ring import HashRing

        return HashRing({}, secret)
    if name == "rendezvous":
        from ringway.core.hashing.rendezvous import RendezvousTable

        return RendezvousTable({}, secret)
    if name == "maglev":
        from ringway.core.hashing.maglev import MaglevTable

        return MaglevTable({}, secret)
    raise LookupError(f"there is no table {name!r}; there are {', '.join(TABLES)}")

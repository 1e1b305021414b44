"""Tables of the owners of keys, each in a file of its own; `make_table` makes them by name."""

from ringway.core.hashing.catalog import TABLES, make_table
from ringway.core.hashing.table import Table, complete

__all__ = ["TABLES", "Table", "complete", "make_table"]

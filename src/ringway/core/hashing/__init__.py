"""Tables that say whose a key is. Each in a file of its own; `make_table` knows them by name."""

from ringway.core.hashing.catalog import TABLES, make_table
from ringway.core.hashing.table import Table

__all__ = ["TABLES", "Table", "make_table"]

"""Connector of this process: a single one, so that all parts of the process share lookups and their results.

It is made when it is first needed, with the defaults; a server process sets others at its start, by `configure`. It is
here and not in the composition root, because the client has no composition root (docs/adr/0013).
"""

from ringway.net.config import NamesConfig
from ringway.net.connector import Connector

_made: list[Connector] = []


def connector() -> Connector:
    """Return the connector of this process."""
    if not _made:
        _made.append(Connector())
    return _made[0]


def configure(config: NamesConfig) -> None:
    """Make a new connector for this process, by `config`. Connections of the old connector stay."""
    use(Connector(config))


def use(connector: Connector) -> None:
    """Make `connector` the connector of this process from now on."""
    _made[:] = [connector]

"""The connector of this process: one, so that all its parts share lookups and what they know of names.

It is made when it is first needed, with the defaults; a server process says at its start, by `configure`, otherwise. It
stands here, and not in the composition root, because the client has none (docs/adr/0013).
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
    """Make the connector of this process anew, by `config`. What is connected stays so."""
    use(Connector(config))


def use(connector: Connector) -> None:
    """Let `connector` be that of this process from now on."""
    _made[:] = [connector]

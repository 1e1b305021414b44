"""Names and connections: every part of Ringway finds and reaches servers by this package."""

from ringway.net.config import NamesConfig
from ringway.net.connector import Connector
from ringway.net.process import configure, connector, use
from ringway.net.resolver import Resolver

__all__ = ["Connector", "NamesConfig", "Resolver", "configure", "connector", "use"]

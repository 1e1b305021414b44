"""Members that only call others: the sealed bus of a caller that knows the cluster's secret."""

import secrets

from ringway.member.sealed_engine import SealedEngine
from ringway.ports import Bus, Engine
from ringway.protocol.keyring import Keyring
from ringway.types import Incarnation


def sealed_engine(engine: Engine, keyring: Keyring) -> SealedEngine:
    """Return `engine` as a new member with these secrets has it."""
    return SealedEngine(engine, keyring, Incarnation(secrets.token_hex(4)))


def sealed_bus(engine: Engine, keyring: Keyring) -> Bus:
    """Return the bus of a new member with these secrets."""
    return sealed_engine(engine, keyring).bus

"""Engine contract: the suite that proves an adapter, under its public name. `contract.engine` says how to use it."""

from ringway.testing.contract.engine import EngineContract
from ringway.testing.contract.world import World

__all__ = ["EngineContract", "World"]

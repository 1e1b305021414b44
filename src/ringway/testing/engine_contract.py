"""Engine contract: the suite that proves an adapter, under its public name. How to use it: `contract.engine`."""

from ringway.testing.contract.engine import EngineContract
from ringway.testing.contract.world import World

__all__ = ["EngineContract", "World"]

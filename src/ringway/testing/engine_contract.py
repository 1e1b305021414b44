"""The suite that proves an engine: what `ringway.ports` promises, as tests that any adapter must pass.

To prove an adapter, subclass `EngineContract` in a test module and give a fixture `world`:

    class TestMyEngine(EngineContract):
        @pytest.fixture
        async def world(self):
            world = MyWorld()          # see `World`
            yield world
            await world.close()

The tests are coroutines and use nothing of pytest themselves; run them with pytest-asyncio in auto mode.
`pytest.register_assert_rewrite("ringway.testing")` before the import shows values in failures. Each test
wants an empty engine: a new server, or names that no other test uses.
"""

from ringway.testing.away_contract import AwayContract
from ringway.testing.broker_contract import BrokerContract
from ringway.testing.bus_contract import BusContract
from ringway.testing.engine_world import World
from ringway.testing.history_away_contract import HistoryAwayContract
from ringway.testing.history_contract import HistoryContract
from ringway.testing.lease_contract import LeaseContract
from ringway.testing.registry_contract import RegistryContract

__all__ = ["EngineContract", "World"]


class EngineContract(
    BrokerContract,
    HistoryContract,
    RegistryContract,
    BusContract,
    LeaseContract,
    AwayContract,
    HistoryAwayContract,
):
    """All that is asked of an engine. Subclass it and give the fixture `world`."""

"""Engine contract: the suite that proves an engine, with the promises of `ringway.ports` as tests.

To prove an adapter, subclass `EngineContract` in a test module and give a fixture `world`:

    class TestMyEngine(EngineContract):
        @pytest.fixture
        async def world(self):
            world = MyWorld()          # a `World`
            yield world
            await world.close()

The tests are coroutines and do not use pytest; run them with pytest-asyncio in auto mode. With
`pytest.register_assert_rewrite("ringway.testing")` before the import, failures show values. Each test needs an empty
engine: a new server, or names that no other test uses.
"""

from ringway.testing.contract.away import AwayContract
from ringway.testing.contract.batch import BatchContract
from ringway.testing.contract.broker import BrokerContract
from ringway.testing.contract.bus import BusContract
from ringway.testing.contract.history import HistoryContract
from ringway.testing.contract.history_away import HistoryAwayContract
from ringway.testing.contract.history_removal import HistoryRemovalContract
from ringway.testing.contract.lease import LeaseContract
from ringway.testing.contract.question import QuestionContract
from ringway.testing.contract.registry import RegistryContract


class EngineContract(
    BrokerContract,
    QuestionContract,
    HistoryContract,
    HistoryRemovalContract,
    BatchContract,
    RegistryContract,
    BusContract,
    LeaseContract,
    AwayContract,
    HistoryAwayContract,
):
    """All tests of an engine. Subclass it and give the fixture `world`."""

"""Engine of a member: the engine of its process, whose calls and publications are proven."""

import time
from collections.abc import Callable

from ringway.core.message_refusals import MessageRefusals
from ringway.member.publication_proofs import PublicationProofs
from ringway.member.sealed_bus import SealedBus
from ringway.member.sealed_channels import SealedBroker, SealedHistory
from ringway.ports import Broker, Bus, Engine, HistoryStore, Lease, Registry
from ringway.protocol.keyring import Keyring
from ringway.types import Incarnation


class SealedEngine:
    """An engine whose calls and publications are proven (`ports.Engine`); registry and lease are those of `engine`.

    `wall` is Unix time and `clock` monotonic, in seconds.
    """

    def __init__(
        self,
        engine: Engine,
        keyring: Keyring,
        incarnation: Incarnation,
        *,
        wall: Callable[[], float] = time.time,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._engine = engine
        self.refusals = MessageRefusals()
        """The messages that were not believed."""
        proofs = PublicationProofs(keyring, self.refusals, wall=wall, clock=clock)
        self.broker: Broker = SealedBroker(engine.broker, proofs)
        self.history: HistoryStore = SealedHistory(engine.history, proofs)
        self.bus: Bus = SealedBus(engine.bus, keyring, incarnation, self.refusals, wall=wall, clock=clock)

    @property
    def registry(self) -> Registry:
        """Carries reports."""
        return self._engine.registry

    @property
    def lease(self) -> Lease:
        """Grants leases."""
        return self._engine.lease

    @property
    def up(self) -> bool:
        """True while the engine can be reached."""
        return self._engine.up

    @property
    def problem(self) -> str:
        """The problem of the engine with its remedy; empty if there is none."""
        return self._engine.problem

    @property
    def on_return(self) -> list[Callable[[], None]]:
        """The listeners that are called each time the engine is up again."""
        return self._engine.on_return

    async def close(self) -> None:
        """Leave the engine."""
        await self._engine.close()

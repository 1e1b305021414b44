"""The outcome of a single append, for tests."""

from collections.abc import Generator

from ringway.engine.outcomes import BatchOutcomes
from ringway.errors import EngineError
from ringway.ports import Position


class Single(BatchOutcomes[Position]):
    """A batch of one, with its outcome. Awaited, it returns the offset, or raises the error."""

    def __init__(self) -> None:
        super().__init__(1)

    @property
    def error(self) -> EngineError | None:
        """The error, if the append has failed."""
        (outcome,) = self.found
        return outcome if isinstance(outcome, EngineError) else None

    def __await__(self) -> Generator[None, None, int]:
        return self._offset().__await__()

    async def _offset(self) -> int:
        (outcome,) = await self.wait()
        if isinstance(outcome, EngineError):
            raise outcome
        return outcome.offset

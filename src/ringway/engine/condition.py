"""The condition of an engine as this process finds it: away, refusing something, or well; for log and health alike.

A cause is logged once, when it is new: not at every attempt. Attempts to have an engine back come at random within a
window that doubles up to a bound (full jitter: "Exponential Backoff And Jitter", AWS Architecture Blog, 2015), so that
members which lost it together do not return together.
"""

import asyncio
import random
from types import TracebackType

import structlog

from ringway.errors import EngineError, EngineUnsuitable

PAUSE_FIRST_S = 0.1
PAUSE_AWAY_S = 1.0
"""The longest window between attempts while the engine cannot be reached."""

PAUSE_REFUSED_S = 5.0
"""The longest window while it was reached and refuses us: its operator must act first."""

REFUSED_S = 60.0
"""For how long after the last refusal something counts as refused, where nothing is known of it since."""

TOLD_MAX = 16

_log = structlog.get_logger()


class Condition:
    """What is wrong with the engine shown as `engine`; `problem` says it in words."""

    def __init__(self, engine: str) -> None:
        self._engine = engine
        self._loop = asyncio.get_running_loop()
        self._away_since: float | None = None
        self._cause = ""
        self._attempts = 0
        self._refused = False
        self._refusals: dict[str, tuple[str, float]] = {}
        self._told: set[str] = set()

    @property
    def problem(self) -> str:
        """What is wrong, with its remedy; empty where nothing is known to be."""
        if self._away_since is not None:
            return self._cause or "the engine cannot be reached"
        oldest = self._loop.time() - REFUSED_S
        return "; ".join(why for why, at in self._refusals.values() if at > oldest)

    @property
    def refuses(self) -> bool:
        """Whether something was refused, and is not known to be served again."""
        return bool(self._refusals)

    def lost(self) -> None:
        """The engine was there and is away."""
        if self._away_since is None:
            self._away_since = self._loop.time()
            _log.warning("engine away", engine=self._engine)

    def failed(self, error: EngineError) -> None:
        """An attempt to have it back failed."""
        self._attempts += 1
        self._refused = isinstance(error, EngineUnsuitable)
        self._cause = str(error)
        if self._refused and self._is_new(self._cause):
            _log.warning("the engine refuses us", engine=self._engine, why=self._cause)
        else:
            _log.debug("engine connection problem", engine=self._engine, why=self._cause)

    def returned(self) -> None:
        """It is back."""
        if self._away_since is not None:
            away_s = self._loop.time() - self._away_since
            _log.info("engine back", engine=self._engine, away_s=round(away_s, 1), attempts=self._attempts + 1)
        self._away_since = None
        self._cause = ""
        self._attempts = 0
        self._refused = False
        self._refusals.clear()
        self._told.clear()

    def refused(self, what: str, error: EngineError) -> None:
        """It is there, and refuses `what`: a word such as "history"."""
        why = str(error)
        self._refusals[what] = why, self._loop.time()
        if self._is_new(f"{what} {why}"):
            _log.warning("the engine refuses something", engine=self._engine, what=what, why=why)

    def served(self, what: str) -> None:
        """It does `what` again."""
        if self._refusals.pop(what, None) is not None:
            self._told = {told for told in self._told if not told.startswith(f"{what} ")}
            _log.info("the engine serves again", engine=self._engine, what=what)

    def watch(self, what: str) -> "Watch":
        """Return what notes, around something that is asked of the engine, whether it was refused or done."""
        return Watch(self, what)

    def pause_s(self) -> float:
        """Return how long to wait before the next attempt."""
        longest = PAUSE_REFUSED_S if self._refused else PAUSE_AWAY_S
        return random.uniform(0, min(longest, PAUSE_FIRST_S * 2 ** min(self._attempts, 16)))

    def _is_new(self, text: str) -> bool:
        if text in self._told or len(self._told) >= TOLD_MAX:
            return False
        self._told.add(text)
        return True


class Watch:
    """Notes, as a context, whether `what` was refused (`EngineUnsuitable`) or done; other errors say neither."""

    __slots__ = ("_condition", "_what")

    def __init__(self, condition: Condition, what: str) -> None:
        self._condition = condition
        self._what = what

    def __enter__(self) -> None:
        pass

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if error is None:
            if self._condition.refuses:
                self._condition.served(self._what)
        elif isinstance(error, EngineUnsuitable):
            self._condition.refused(self._what, error)

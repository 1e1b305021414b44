"""Condition of an engine in this process's view: away, refusing a service, or well; for the log and the health page.

A cause is logged once, when it is new, and not at every attempt. Attempts to reach the engine again come at random
within a window that doubles up to a bound (full jitter: "Exponential Backoff And Jitter", AWS Architecture Blog, 2015),
so that members that lost it together do not return together.
"""

import asyncio
import random
from collections.abc import Sequence
from types import TracebackType

from ringway.errors import EngineError, EngineUnsuitable
from ringway.logger import get_logger

PAUSE_FIRST_S = 0.1
PAUSE_AWAY_S = 1.0
"""The longest window between attempts while the engine cannot be reached."""

PAUSE_REFUSED_S = 5.0
"""The longest window while the engine is reached and refuses this process: its operator must act first."""

REFUSED_S = 60.0
"""The time after its last refusal for which a service counts as refused, without newer knowledge of it."""

LOGGED_MAX = 16
"""Different causes that are logged as warnings until the engine is back; further causes are logged for debugging."""

_log = get_logger()


class Condition:
    """The condition of the engine whose URL is shown as `engine`; `problem` is its description."""

    def __init__(self, engine: str) -> None:
        self._engine = engine
        self._loop = asyncio.get_running_loop()
        self._away_since: float | None = None
        self._cause = ""
        self._attempts = 0
        self._refused = False
        self._refusals: dict[str, tuple[str, float]] = {}
        self._logged: set[str] = set()

    @property
    def problem(self) -> str:
        """The problem with its remedy; empty if no problem is known."""
        if self._away_since is not None:
            return self._cause or "the engine cannot be reached"
        oldest = self._loop.time() - REFUSED_S
        return "; ".join(why for why, at in self._refusals.values() if at > oldest)

    @property
    def refuses(self) -> bool:
        """True if a service was refused, and has not been provided since."""
        return bool(self._refusals)

    def on_lost(self) -> None:
        """Record the loss of the engine."""
        if self._away_since is None:
            self._away_since = self._loop.time()
            _log.warning("engine away", engine=self._engine)

    def on_attempt_failed(self, error: EngineError) -> None:
        """Record that an attempt to reach the engine again failed with `error`."""
        self._attempts += 1
        self._refused = isinstance(error, EngineUnsuitable)
        self._cause = str(error)
        if self._refused and self._is_new(self._cause):
            _log.warning("the engine refuses us", engine=self._engine, why=self._cause)
        else:
            _log.debug("engine connection problem", engine=self._engine, why=self._cause)

    def on_returned(self) -> None:
        """Record that the engine is back."""
        if self._away_since is not None:
            away_s = self._loop.time() - self._away_since
            _log.info("engine back", engine=self._engine, away_s=round(away_s, 1), attempts=self._attempts + 1)
        self._away_since = None
        self._cause = ""
        self._attempts = 0
        self._refused = False
        self._refusals.clear()
        self._logged.clear()

    def on_refused(self, service: str, error: EngineError) -> None:
        """Record that the engine is reached and refuses `service`: a word such as "history"."""
        why = str(error)
        self._refusals[service] = why, self._loop.time()
        if self._is_new(f"{service} {why}"):
            _log.warning("the engine refuses something", engine=self._engine, what=service, why=why)

    def on_served(self, service: str) -> None:
        """Record that the engine provides `service` again."""
        if self._refusals.pop(service, None) is not None:
            self._logged = {text for text in self._logged if not text.startswith(f"{service} ")}
            _log.info("the engine serves again", engine=self._engine, what=service)

    def on_outcomes(
        self, service: str, outcomes: Sequence[object], refusals: tuple[type[Exception], ...] = (EngineUnsuitable,)
    ) -> None:
        """Record the outcomes of requests to `service`: the first refusal, or else a success if there is one."""
        refused = next((outcome for outcome in outcomes if isinstance(outcome, refusals)), None)
        if isinstance(refused, EngineError):
            self.on_refused(service, refused)
        elif self.refuses and not all(isinstance(outcome, Exception) for outcome in outcomes):
            self.on_served(service)

    def watch_service(self, service: str) -> "ServiceWatch":
        """Return a context for requests to `service`, which records refusals and successes."""
        return ServiceWatch(self, service)

    def pause_s(self) -> float:
        """Return the pause before the next attempt, in seconds."""
        longest = PAUSE_REFUSED_S if self._refused else PAUSE_AWAY_S
        return random.uniform(0, min(longest, PAUSE_FIRST_S * 2 ** min(self._attempts, 16)))

    def _is_new(self, text: str) -> bool:
        if text in self._logged or len(self._logged) >= LOGGED_MAX:
            return False
        self._logged.add(text)
        return True


class ServiceWatch:
    """A context that records a refusal (`EngineUnsuitable`) or a success of `service`, and no other error."""

    __slots__ = ("_condition", "_service")

    def __init__(self, condition: Condition, service: str) -> None:
        self._condition = condition
        self._service = service

    def __enter__(self) -> None:
        pass

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if error is None:
            if self._condition.refuses:
                self._condition.on_served(self._service)
        elif isinstance(error, EngineUnsuitable):
            self._condition.on_refused(self._service, error)

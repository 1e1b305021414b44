"""Problems of an outbox, by their subject: for the log, once each, and for the health page."""

from ringway.logger import get_logger

SHOWN_MAX = 3

_log = get_logger()


class OutboxProblems:
    """The problems that there are now."""

    def __init__(self) -> None:
        self._problems: dict[str, str] = {}

    def set(self, subject: str, problem: str) -> None:
        """Set the problem of `subject`; empty: there is none. The log says what is new, and what is over."""
        before = self._problems.get(subject, "")
        if problem == before:
            return
        if not problem:
            del self._problems[subject]
            _log.info("a problem of the outbox is over", problem=before)
            return
        self._problems[subject] = problem
        _log.warning("the outbox has a problem", problem=problem)

    def __str__(self) -> str:
        """The problems in words; empty if there are none."""
        problems = list(dict.fromkeys(self._problems.values()))
        more = len(problems) - SHOWN_MAX
        return "; ".join(problems[:SHOWN_MAX] + ([f"and {more} more of the outbox"] if more > 0 else []))

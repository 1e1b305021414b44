"""Options about moves, in specs of backends and of routes: `on-move=close`, `close-code=4000`."""

from collections.abc import Mapping

from ringway.protocol.backend import CLOSE_CODES, CLOSE_CODES_RULE, OnMove

MOVE_OPTIONS = ("on-move", "close-code", "restart-codes")

_WAYS = frozenset(OnMove) - {OnMove.FOLLOW}


def read_on_move(given: Mapping[str, str], subject: str, problems: list[str]) -> OnMove | None:
    """Return what `on-move=` of `subject` says, such as `route 'path=/'`; None if it is not given, or wrong.

    What is wrong is added to `problems`.
    """
    text = given.get("on-move", "")
    if not text:
        return None
    if text in _WAYS:
        return OnMove(text)
    problems.append(f"on-move={text} of {subject} must be auto, close, reopen or never")
    return None


def read_close_code(given: Mapping[str, str], subject: str, problems: list[str]) -> int | None:
    """Return what `close-code=` of `subject` says; None if it is not given, or wrong."""
    return next(iter(_codes("close-code", given, subject, problems) or ()), None)


def read_restart_codes(given: Mapping[str, str], subject: str, problems: list[str]) -> tuple[int, ...] | None:
    """Return what `restart-codes=` of `subject` says, as `1001+1011`; None if it is not given, or wrong."""
    return _codes("restart-codes", given, subject, problems)


def _codes(option: str, given: Mapping[str, str], subject: str, problems: list[str]) -> tuple[int, ...] | None:
    text = given.get(option, "")
    if not text:
        return None
    parts = [part.strip() for part in text.split("+")]
    codes = [int(part) if part.isdecimal() else 0 for part in parts]
    if not CLOSE_CODES.issuperset(codes) or (option == "close-code" and len(codes) > 1):
        several = "; give several as 1001+1011" if option == "restart-codes" else ""
        problems.append(f"{option}={text} of {subject}: a close code {CLOSE_CODES_RULE}{several}")
        return None
    return tuple(codes)

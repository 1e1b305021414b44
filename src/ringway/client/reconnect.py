"""Reconnect decisions: after a close or a failed attempt, follow a move or pause. Pure."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from ringway.client.retry import retry_after_s
from ringway.core.backoff import longest_delay_s
from ringway.errors import CommandError, ConfigError, ConnectionClosed, UpgradeError
from ringway.protocol.close import SERVICE_RESTART, Retry, retry_of
from ringway.protocol.move import Move, read_move

if TYPE_CHECKING:
    from random import Random

_TEMPORARY_4XX = frozenset({403, 408, 425, 429})
"""Refusals that a further attempt may not meet; 403 is how a node refuses a ticket that came too late."""


@dataclass(frozen=True, slots=True)
class Again:
    """Connect after `delay_s`: to the target of `move`, or, without a move, to the gateway's choice."""

    delay_s: float
    move: Move | None = None


def move_of(code: int, reason: str) -> Move | None:
    """The move that a close carries, or None."""
    return read_move(reason) if code == SERVICE_RESTART else None


def is_final_close(code: int, reason: str) -> bool:
    """True if the client's owner must act before the client may come back after a close (PROTOCOL.md P-6)."""
    return move_of(code, reason) is None and retry_of(code) is Retry.NEVER


def is_final(error: BaseException) -> bool:
    """True if a repetition would fail in the same way: wrong settings, or a permanent refusal."""
    if isinstance(error, UpgradeError):
        return error.status < 500 and error.status not in _TEMPORARY_4XX
    if isinstance(error, CommandError):
        return not error.temporary
    if isinstance(error, ConnectionClosed):
        return is_final_close(error.code, error.reason)
    return isinstance(error, ConfigError)


class Reconnect:
    """Counts attempts. Pauses grow with every attempt, and with every connection that lived shorter than `stable_s`."""

    def __init__(
        self, rng: "Random", *, base_s: float, cap_s: float, stable_s: float, retry_after_max_s: float
    ) -> None:
        self._rng = rng
        self._base_s = base_s
        self._cap_s = cap_s
        self._stable_s = stable_s
        self._retry_after_max_s = retry_after_max_s
        self._attempt = 0

    def _pause_s(self, window_s: float = 0.0) -> float:
        attempt = self._attempt
        self._attempt += 1
        longest_s = longest_delay_s(attempt, base_s=self._base_s, cap_s=self._cap_s)
        return self._rng.uniform(0.0, max(window_s, longest_s))

    def after_close(self, code: int, reason: str, lived_s: float, window_s: float = 0.0) -> Again:
        """The step after a connection that lived `lived_s` was closed with `code` and `reason`.

        A move is obeyed without a pause, unless connections keep being moved or lost before they are stable. Any other
        loss is spread over `window_s`, which the gateway told when there was no need yet.
        """
        if lived_s >= self._stable_s:
            self._attempt = 0
        move = move_of(code, reason)
        if move is None:
            return Again(self._pause_s(window_s))
        if self._attempt == 0:
            self._attempt = 1
            return Again(0.0, move)
        return Again(self._pause_s(), move)

    def after_failure(self, error: BaseException) -> Again:
        """Return the step after an attempt failed with `error`. If it followed a move, the move is forgotten."""
        return Again(min(asked_wait_s(error), self._retry_after_max_s) + self._pause_s())


def deciding(failures: Sequence[Exception]) -> Exception:
    """Return the answer of one round of gateways that decides on the next step.

    A temporary refusal goes before a final one; then the longest requested wait counts.
    """
    return max(reversed(failures), key=lambda error: (not is_final(error), asked_wait_s(error)))


def asked_wait_s(error: BaseException) -> float:
    """Return the pause that the refusing server requests; 0 without a request."""
    if not isinstance(error, UpgradeError):
        return 0.0
    return error.wait_s or retry_after_s(error.headers)

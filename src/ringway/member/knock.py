"""Answers to knocks: a gateway that opens this member's URL learns which member is there (PROTOCOL.md P-8.11).

A knock costs less than a refusal: two proofs, one write. It needs no place and no ticket, and is not a client. Knocks
that a gateway has proved are answered also when the member drains, or when more handshakes come than it can take; but
only as many as gateways need. A knock that is not proven is refused as other handshakes are, after the check of the
rate.
"""

from collections import Counter
from collections.abc import Callable

from ringway.core.rate import TokenBucket
from ringway.errors import UpgradeError
from ringway.protocol.knock import KNOCK, KnockProver
from ringway.protocol.upgrade import Headers, value_of
from ringway.types import Incarnation, NodeName

KNOCKS_PER_S = 50.0
KNOCKS_BURST = 200.0
"""Each gateway knocks once, and again after a failure: so many gateways may start at once."""


class KnockAnswers:
    """Answers as the member `name`. `clock` is monotonic; `counts` counts knocks: answered, unproven, excess."""

    __slots__ = ("_clock", "_counts", "_incarnation", "_limit", "_name", "_prover")

    def __init__(
        self,
        prover: KnockProver,
        name: NodeName,
        incarnation: Incarnation,
        counts: Counter[str],
        clock: Callable[[], float],
    ) -> None:
        self._prover = prover
        self._name = name
        self._incarnation = incarnation
        self._counts = counts
        self._clock = clock
        self._limit = TokenBucket(KNOCKS_PER_S, KNOCKS_BURST, clock())

    def answer(self, headers: Headers) -> str | None:
        """Return the value of the header `KNOCK` to answer with; None if the request is not a proven knock.

        Raise `UpgradeError` if more proven knocks come than gateways need.
        """
        asked = value_of(headers, KNOCK)
        if asked is None:
            return None
        knock = self._prover.believe(asked)
        if knock is None:
            self._counts["unproven"] += 1
            return None
        if not self._limit.take_tokens(self._clock()):
            self._counts["excess"] += 1
            raise UpgradeError(503, f"more than {KNOCKS_PER_S:g} knocks come a second", (("Retry-After", "2"),))
        self._counts["answered"] += 1
        return self._prover.answer(knock, self._name, self._incarnation)

"""Writing of a member's reports: introductions and beats, sealed (PROTOCOL.md P-8.3, P-8.4).

An introduction is written first, when a newcomer asks, after `INTRODUCE_S`, and when a beat could not say what has
changed or would be long. All other reports are beats. A beat repeats the measures of the report before it for
`MEASURES_S`, unless they have changed much: receivers read only what is new in a beat.

Anybody at the engine can ask, without a proof. So introductions for newcomers are `ANSWERS_BURST` at once, and then one
in `ANSWER_S`: further questions are ignored, and a process that needs the answer asks again.
"""

from typing import TYPE_CHECKING

import msgspec

from ringway.core.rate import TokenBucket
from ringway.core.reporting import MEASURES_S, measures_have_changed
from ringway.protocol.beat import encode_beat, make_beat, repeat_measures, settle_steps
from ringway.protocol.report import BEAT, INTRODUCTION, LEAVE, Report, encode_introduction
from ringway.protocol.seal import WIRE_MAX, WIRE_MIN, Sealer
from ringway.types import NodeName

if TYPE_CHECKING:
    from random import Random

INTRODUCE_S = 30.0
"""The mean time between two introductions without a question; jittered by 20 %."""

ANSWERS_BURST = 10
ANSWER_S = 2.0

LONG_BEAT_BYTES = 84
"""A beat is long above this, and above half of its introduction."""


class ReportWriter:
    """The reports of the member `name`, which `sealer` seals. `now` is monotonic, in seconds."""

    __slots__ = (
        "_answers", "_asked", "_base", "_base_bytes", "_context", "_due_at", "_measured_at", "_rng", "_sealer", "last"
    )  # fmt: skip

    def __init__(self, name: NodeName, sealer: Sealer, rng: "Random") -> None:
        self.last: Report | None = None
        """The last report, as its receivers have it."""
        self._context = name.encode()
        self._sealer = sealer
        self._rng = rng
        self._base: Report | None = None
        self._base_bytes = 0
        self._due_at = 0.0
        self._measured_at = 0.0
        self._asked = False
        self._answers = TokenBucket(1 / ANSWER_S, ANSWERS_BURST, 0.0)

    @property
    def is_asked(self) -> bool:
        """True if a newcomer has asked for an introduction that is not written yet."""
        return self._asked

    @property
    def secrets(self) -> tuple[str, ...]:
        """The fingerprints of the secrets by which the reports are sealed and may be (`Report.secrets`)."""
        return self._sealer.fingerprints

    @property
    def wire_version(self) -> int:
        """The wire version in which the reports are sealed now."""
        return self._sealer.wire_version

    def on_asked(self, now: float) -> None:
        """Make the next report an introduction, unless there were too many questions: somebody lacks it."""
        self._asked = self._asked or self._answers.take_tokens(now)

    def write(self, report: Report, now: float) -> bytes:
        """Return the next message, which carries `report`; the report gets the number of the message."""
        last = self.last
        self.last = report = settle_steps(
            msgspec.structs.replace(report, seq=self._sealer.number + 1, wire_min=WIRE_MIN, wire_max=WIRE_MAX)
        )
        if self._base is not None and last is not None and not self._asked and now < self._due_at:
            if now >= self._measured_at + MEASURES_S or measures_have_changed(last, report):
                self._measured_at = now
            else:
                self.last = report = repeat_measures(report, last)
            beat = make_beat(report, self._base)
            body = encode_beat(beat) if beat is not None else b""
            if body and len(body) <= max(LONG_BEAT_BYTES, self._base_bytes // 2):
                return self._sealer.seal(BEAT, self._context, body)
        body = encode_introduction(report)
        self._base, self._base_bytes, self._asked = report, len(body), False
        self._measured_at = now
        self._due_at = now + INTRODUCE_S * self._rng.uniform(0.8, 1.2)
        return self._sealer.seal(INTRODUCTION, self._context, body)

    def write_leave(self) -> bytes:
        """Return the message that the member leaves."""
        return self._sealer.seal(LEAVE, self._context, b"")

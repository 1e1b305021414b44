"""Proofs of publications: each message on a channel is proven once, before it is delivered or passed on from history.

A message that is not stored (its offset is 0) must be sealed for its channel, lately, and be new. Stored publications
may be old; whether they are new is judged where they are delivered (`core.stream`), and within a page of history.

A message that is not believed is counted, logged within bounds, and dropped. In a page of history it is replaced by an
empty payload, which is not delivered: so the offsets have no gap, and no recovery waits for it.
"""

import time
from collections.abc import Callable

from ringway.core.channel_numbers import ChannelNumbers, repeated
from ringway.core.message_refusals import MessageRefusals, claimed_sender
from ringway.logger import get_logger
from ringway.ports import Page
from ringway.protocol.envelope import KIND_AT, PUBLICATION, SENT_MS
from ringway.protocol.keyring import Keyring, Purpose
from ringway.protocol.seal import AGE_S_MAX, SealError, SealFault, Unsealer, sent_ms, stale
from ringway.types import Channel

_AGE_MS_MAX = round(AGE_S_MAX * 1000)
_TIME_BYTES = SENT_MS.stop - SENT_MS.start

BOUNDS_S = 0.5
"""The time for which the bounds of a message's age are reused; they are less exact by this time."""

_log = get_logger()


class PublicationProofs:
    """Proves the messages of channels for one member. `wall` is Unix time and `clock` monotonic, in seconds."""

    def __init__(
        self,
        keyring: Keyring,
        refusals: MessageRefusals,
        *,
        wall: Callable[[], float] = time.time,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._unsealer = Unsealer(keyring, Purpose.PUBLICATION)
        self._prove = self._unsealer.prove
        self._refusals = refusals
        self._wall = wall
        self._clock = clock
        self._numbers = ChannelNumbers()
        self._note = self._numbers.note
        self._set_bounds(wall())

    def believe(self, channel: Channel, payload: bytes, offset: int) -> bool:
        """Return True if a message that arrived is believed; the offset is 0 if it is not stored."""
        error: SealError | None = None
        try:
            self._prove(channel.encode(), payload)
        except SealError as refused:
            error = refused
        else:
            if offset:
                error = _fault_of_stored(payload)
            else:
                now = self._wall()
                if not self._bounded_at <= now < self._bounded_at + BOUNDS_S:
                    self._set_bounds(now)
                if not self._oldest <= payload[SENT_MS] <= self._newest:
                    error = stale(now - sent_ms(payload) / 1000)
                elif not self._note(channel, payload):
                    error = SealError(SealFault.REPLAYED, "a message came again, or after a newer one of its sender")
        if error is None:
            return True
        self._refuse(channel, payload, error)
        return False

    def believe_page(self, channel: Channel, page: Page) -> Page:
        """Return `page` with empty payloads in place of those that are not believed."""
        proven = [(offset, payload) for offset, payload in page.publications if self.believe(channel, payload, offset)]
        again = repeated(proven)
        if len(proven) == len(page.publications) and not again:
            return page
        error = SealError(SealFault.REPLAYED, "a publication of history was stored again")
        believed = dict(proven)
        for offset in again:
            self._refuse(channel, believed.pop(offset), error)
        return page._replace(publications=[(offset, believed.get(offset, b"")) for offset, _ in page.publications])

    def believe_answer(self, channel: Channel, context: bytes, payload: bytes) -> bool:
        """Return True if an answer to a question on `channel` is believed."""
        try:
            self._unsealer.unseal(context, payload)
        except SealError as error:
            self._refuse(channel, payload, error)
            return False
        return True

    def forget(self, channel: Channel) -> None:
        """Forget a channel that has no subscribers here any more."""
        self._numbers.forget(channel)

    def _set_bounds(self, now: float) -> None:
        """Set the earliest and latest time, as in heads, at which a message that is not stored may have been sealed."""
        ms = int(now * 1000)
        self._bounded_at = now
        self._oldest = max(0, ms - _AGE_MS_MAX).to_bytes(_TIME_BYTES)
        self._newest = max(0, ms + _AGE_MS_MAX).to_bytes(_TIME_BYTES)

    def _refuse(self, channel: Channel, payload: bytes, error: SealError) -> None:
        sender = claimed_sender(payload)
        if self._refusals.add(Purpose.PUBLICATION, error, sender, self._clock()):
            fault, why = error.fault.value, str(error)
            _log.warning("a message was not believed", channel=channel, sender=sender, fault=fault, why=why)


def _fault_of_stored(payload: bytes) -> SealError | None:
    if payload[KIND_AT] == PUBLICATION:
        return None
    return SealError(SealFault.UNREADABLE, "a stored message is no publication")

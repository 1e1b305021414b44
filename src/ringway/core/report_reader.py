"""Reading of reports: proven, in their order, each once; beats with their introductions (PROTOCOL.md P-8.3, P-8.4).

The last number of a sender is remembered after it has left: a message that was recorded and is sent again is as old as
it was. At most `SENDERS_MAX` senders are remembered; above that, the sender is dropped that was silent for longest.

A process that has just started remembers nothing. So of two senders with one name, that one counts whose message was
sealed later: a recorded report of a member's last run takes no name from the run that lives.
"""

from typing import NamedTuple

import msgspec

from ringway.core.recent import Recent
from ringway.errors import ProtocolError, RingwayError
from ringway.protocol.beat import BeatBase, decode_beat
from ringway.protocol.report import BEAT, INTRODUCTION, LEAVE, Report, decode_introduction
from ringway.protocol.seal import (
    AGE_S_MAX,
    BODY_AT,
    KIND_AND_ORIGIN,
    SealedMessage,
    SealError,
    SealFault,
    Unsealer,
    check_time,
    number_and_time,
    stale,
)
from ringway.types import Incarnation, NodeName

SENDERS_MAX = 8192


class MemberLeaves(NamedTuple):
    """A member says that it leaves."""

    name: NodeName
    incarnation: Incarnation


class MissingIntroductionError(RingwayError):
    """A beat builds on an introduction that was not received: ask the member for a new introduction."""


class _Sender:
    """A sender: its last number, when its last report was sealed, and its introduction while it lives."""

    __slots__ = ("base", "beats_begin", "context", "number", "origin", "sent_at")

    def __init__(self, name: NodeName, origin: Incarnation) -> None:
        self.origin = origin
        self.context = name.encode()
        self.beats_begin = bytes((BEAT,)) + bytes.fromhex(origin)
        """Kind and origin of its beats, as heads have them."""
        self.number = 0
        self.sent_at = 0.0
        self.base: BeatBase | None = None


class ReportReader:
    """The reports of all members, as they are received."""

    __slots__ = ("_live", "_senders", "_unsealer")

    def __init__(self, unsealer: Unsealer) -> None:
        self._unsealer = unsealer
        self._senders: Recent[Incarnation, _Sender] = Recent(SENDERS_MAX)
        self._live: dict[NodeName, _Sender] = {}

    def read(self, name: NodeName, raw: bytes, wall: float) -> tuple[Report | MemberLeaves, float]:
        """Return the report in a message that came under `name`, and when it was sent by its sender's clock.

        `wall` is Unix time. Raise `SealError` for a message that is not believed, and `MissingIntroductionError`.
        """
        sender = self._live.get(name)
        if sender is not None and raw[KIND_AND_ORIGIN] == sender.beats_begin:  # nearly all messages
            return self._read_beat(name, raw, wall, sender)
        sealed = self._unsealer.unseal(name.encode(), raw)
        check_time(sealed, wall)
        if sender is None or sender.origin != sealed.origin:
            sender = self._succeed(name, sealed, sender)
        if sealed.number <= sender.number:
            raise _replayed(name, sealed.number)
        sender.number = sealed.number
        content = self._content(name, sealed, sender)
        if isinstance(content, Report):
            sender.sent_at = sealed.sent_at
            self._live[name] = sender
        return content, sealed.sent_at

    def _read_beat(self, name: NodeName, raw: bytes, wall: float, sender: _Sender) -> tuple[Report, float]:
        """Do the same for a beat of a sender that is known: the head is read in place."""
        self._unsealer.prove(sender.context, raw)
        number, sent_at = number_and_time(raw)
        if not -AGE_S_MAX <= wall - sent_at <= AGE_S_MAX:
            raise stale(wall - sent_at)
        if number <= sender.number:
            raise _replayed(name, number)
        sender.number = number
        try:
            report = self._beat(name, raw[BODY_AT:], number, sender)
        except (ProtocolError, ValueError) as error:
            raise _unreadable(name, error) from error
        sender.sent_at = sent_at
        return report, sent_at

    def forget(self, name: NodeName, incarnation: Incarnation) -> None:
        """Drop the introduction of a member that is gone; its last number is kept."""
        sender = self._senders.get(incarnation)
        if name in self._live and self._live[name].origin == incarnation:
            sender = self._live.pop(name)
            self._senders.add(incarnation, sender)  # it was silent from now on
        if sender is not None:
            sender.base = None

    def _succeed(self, name: NodeName, sealed: SealedMessage, live: _Sender | None) -> _Sender:
        """Return the sender of a message that is not from the `live` sender under its name."""
        if live is not None and sealed.sent_at <= live.sent_at:
            raise SealError(
                SealFault.REPLAYED,
                f"a report of an earlier process called {name} came again; if it is a new process, set its clock",
            )
        sender = self._senders.refresh(sealed.origin)
        if sender is None:
            sender = _Sender(name, sealed.origin)
            self._senders.add(sealed.origin, sender)
        return sender

    def _content(self, name: NodeName, sealed: SealedMessage, sender: _Sender) -> Report | MemberLeaves:
        try:
            if sealed.kind == BEAT:
                return self._beat(name, sealed.body, sealed.number, sender)
            if sealed.kind == INTRODUCTION:
                sender.base = BeatBase(self._introduction(name, sealed))
                return sender.base.report
        except (ProtocolError, ValueError) as error:
            raise _unreadable(name, error) from error
        if sealed.kind == LEAVE:
            return MemberLeaves(name, sealed.origin)
        raise SealError(SealFault.UNREADABLE, f"a report of {name} is of the unknown kind {sealed.kind}; upgrade")

    def _beat(self, name: NodeName, body: bytes, number: int, sender: _Sender) -> Report:
        beat = decode_beat(body)
        if sender.base is None or sender.base.report.seq != beat["b"]:
            raise MissingIntroductionError(f"{name} builds on report {beat['b']}, which was not received")
        return sender.base.apply(beat, number)

    def _introduction(self, name: NodeName, sealed: SealedMessage) -> Report:
        report = decode_introduction(sealed.body)
        if report.name != name or report.incarnation != sealed.origin:
            raise ValueError(f"it is the report of {report.name} {report.incarnation}, sealed by {sealed.origin}")
        return msgspec.structs.replace(report, seq=sealed.number)


def _replayed(name: NodeName, number: int) -> SealError:
    return SealError(SealFault.REPLAYED, f"report {number} of {name} came again, or too late")


def _unreadable(name: NodeName, error: Exception) -> SealError:
    return SealError(SealFault.UNREADABLE, f"a report of {name} cannot be read: {error}")

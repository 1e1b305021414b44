"""Answers to a client's queries about a channel: its history, and its subscribers."""

from dataclasses import dataclass
from typing import NamedTuple

import msgspec

from ringway.client.subscription import Publication
from ringway.protocol.command import HistoryResult, PresenceStatsResult, RawPublication
from ringway.protocol.decoding import reader
from ringway.types import Channel

_decode = reader(msgspec.json.Decoder(RawPublication).decode, "a publication")


class StreamPosition(NamedTuple):
    """A position in a channel's history. Offsets of different epochs cannot be compared."""

    epoch: str
    offset: int


@dataclass(frozen=True, slots=True)
class History:
    """Publications that the server keeps of a channel, in the requested order; `position` is that of the channel."""

    publications: tuple[Publication, ...]
    position: StreamPosition


class PresenceStats(NamedTuple):
    """The number of connections that are subscribed to a channel, and of their users."""

    clients: int
    users: int


def read_history(channel: Channel, result: HistoryResult) -> History:
    """Return the history in the form for programs."""
    found = (_decode(raw) for raw in result.publications)
    publications = (Publication(channel, pub.data, pub.info.client if pub.info else "", pub.offset) for pub in found)
    return History(tuple(publications), StreamPosition(result.epoch, result.offset))


def read_stats(result: PresenceStatsResult) -> PresenceStats:
    """Return the counts in the form for programs."""
    return PresenceStats(result.num_clients, result.num_users)

"""Answers to a client's queries about a channel: its history, and its subscribers."""

from dataclasses import dataclass

import msgspec

from ringway.client.subscription import Publication
from ringway.protocol.command import HistoryResult, PresenceStatsResult, RawPublication
from ringway.protocol.decoding import reader
from ringway.server_methods import PresenceStats, StreamPosition
from ringway.types import Channel

__all__ = ["History", "PresenceStats", "StreamPosition", "read_history", "read_stats"]

_decode = reader(msgspec.json.Decoder(RawPublication).decode, "a publication")


@dataclass(frozen=True, slots=True)
class History:
    """Publications that the server keeps of a channel, in the requested order; `position` is that of the channel."""

    publications: tuple[Publication, ...]
    position: StreamPosition


def read_history(channel: Channel, result: HistoryResult) -> History:
    """Return the history in the form for programs."""
    found = (_decode(raw) for raw in result.publications)
    publications = (Publication(channel, pub.data, pub.info.client if pub.info else "", pub.offset) for pub in found)
    return History(tuple(publications), StreamPosition(result.epoch, result.offset))


def read_stats(result: PresenceStatsResult) -> PresenceStats:
    """Return the counts in the form for programs."""
    return PresenceStats(result.num_clients, result.num_users)

"""What a JetStream stream is asked to be, what it says of itself, and what that proves.

One stream keeps the history of all channels of a namespace. Its sequence numbers are the offsets, so those of one
channel have gaps. It forgets in two ways: of each subject what exceeds the size, and of all subjects what is older
than the time to live (or exceeds `bytes_max`). The second takes from the head: `first` says how far it came.

Two things are written into the stream's metadata, because NATS does not remember them:

- `ringway_life` is drawn anew by a member that finds stored publications lost. In a cluster of servers a stream
  in memory begins again at 1 when its server does, and after a failure of power a file may lack its end; the time
  of its making, which tells lives apart else, stays the same.
- `ringway_size_least` is the smallest size that the stream ever had, once it changed: see `is_complete`.
"""

import hashlib
import secrets
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Literal

import msgspec

from ringway.errors import EngineUnsuitable
from ringway.ports import Retention

GENERATION = "ringway_life"
SIZE_LEAST = "ringway_size_least"

DUPLICATE_WINDOW_S = 120.0
REPLICAS_CLUSTERED = 3
NS = 1_000_000_000

VERSION_MIN = (2, 11)
"""The first NATS with direct reads in batches."""

STREAM_NOT_FOUND = 10059
STREAM_EXISTS = 10058


@dataclass(frozen=True, slots=True)
class HistorySettings:
    """How the streams of an engine are kept; see the settings `engine.history_*`."""

    storage: Literal["memory", "file"] = "file"
    replicas: int = 0
    """0: three in a cluster of servers, else one."""
    bytes_max: int = 0
    """Of each stream; 0: as much as the server allows."""


class ApiError(msgspec.Struct):
    """Why JetStream refused a request or a publication."""

    code: int = 0
    err_code: int = 0
    description: str = ""


class State(msgspec.Struct):
    """What a stream holds. Empty after `last`, `first` is `last + 1`; both are 0 before the first publication."""

    first_seq: int = 0
    last_seq: int = 0


class Cluster(msgspec.Struct):
    """Where a stream is kept in a cluster of servers."""

    leader: str = ""


class StreamInfo(msgspec.Struct):
    """What JetStream says of a stream."""

    config: dict[str, Any] = {}
    created: str = ""
    state: State = msgspec.field(default_factory=State)
    cluster: Cluster | None = None
    ts: str = ""
    error: ApiError | None = None

    @property
    def epoch(self) -> str:
        """Names the life of the stream: the same for all members."""
        life = f"{self.config['name']} {self.created} {self.config.get('metadata', {}).get(GENERATION, '')}"
        return hashlib.blake2b(life.encode(), digest_size=4).hexdigest()

    @property
    def size(self) -> int:
        """How many publications of a channel are kept."""
        return int(self.config["max_msgs_per_subject"])

    @property
    def size_least(self) -> int:
        """The smallest size that held at any time of the stream's life."""
        return min(self.size, int(self.config.get("metadata", {}).get(SIZE_LEAST, self.size)))

    @property
    def replicas(self) -> int:
        """How many servers keep the stream."""
        return int(self.config.get("num_replicas", 1))

    @property
    def clustered(self) -> bool:
        """Whether several servers form a cluster; then `created` outlives what is stored."""
        return self.cluster is not None

    @property
    def age_s(self) -> float:
        """How long ago the stream was made, by the server's clock."""
        return (datetime.fromisoformat(self.ts) - datetime.fromisoformat(self.created)).total_seconds()


read_info = msgspec.json.Decoder(StreamInfo).decode


def check_version(version: str) -> None:
    """Raise `EngineUnsuitable` if a server of this `version` cannot keep history."""
    numbers = tuple(int(part) for part in version.split("-")[0].split(".")[:2] if part.isdigit())
    if numbers < VERSION_MIN:
        wanted = ".".join(map(str, VERSION_MIN))
        raise EngineUnsuitable(f"NATS {version} cannot keep history as it is read here; use {wanted} or newer")


def wanted_config(
    name: str, kept: str, live: str, retention: Retention, settings: HistorySettings, clustered: bool
) -> dict[str, Any]:
    """Return the stream's configuration. `kept` and `live` are prefixes of subjects, before the channel's token."""
    ttl_ns = int(retention.ttl_s * NS)
    return {
        "name": name,
        "subjects": [f"{kept}*"],
        "storage": settings.storage,
        "retention": "limits",
        "discard": "old",
        "max_msgs_per_subject": retention.size,
        "max_age": ttl_ns,
        "max_bytes": settings.bytes_max or -1,
        "duplicate_window": min(int(DUPLICATE_WINDOW_S * NS), ttl_ns),  # NATS allows no more than max_age
        "num_replicas": settings.replicas or (REPLICAS_CLUSTERED if clustered else 1),
        "allow_direct": True,
        "republish": {"src": f"{kept}*", "dest": live + "{{wildcard(1)}}"},
    }


def adapted_config(found: Mapping[str, Any], wanted: Mapping[str, Any]) -> dict[str, Any] | None:
    """Return `found` with what is `wanted`, or None where it has all of that. What operators added stays.

    The storage stays too: it cannot be changed without losing what is stored.
    """
    changed = {**found, **wanted, "storage": found.get("storage")}
    if changed == found:
        return None
    before, after = found.get("max_msgs_per_subject", 0), wanted["max_msgs_per_subject"]
    if before != after:
        metadata = found.get("metadata", {})
        least = min(before, after, int(metadata.get(SIZE_LEAST, before)))
        changed["metadata"] = {**metadata, SIZE_LEAST: str(least)}
    return changed


def with_new_generation(config: Mapping[str, Any]) -> dict[str, Any]:
    """Return `config` with another epoch."""
    return {**config, "metadata": {**config.get("metadata", {}), GENERATION: secrets.token_hex(4)}}


def is_complete(since: int, found: Sequence[int], info: StreamInfo) -> bool:
    """Whether it is proven that nothing of a channel after `since` is missing in `found`.

    `found` are the channel's kept offsets from `since` itself on, read to their end; `info` was asked for after that.

    Nothing after `since` can have expired: the head, which only moves on, has not passed it. Nothing can have been
    trimmed: that happens to a publication when as many as the size came after it, in a channel with so many there are
    that many ever after, and a reader that comes to the end then finds at least as many behind it. If `since` itself
    was found, that need only hold for the moment of the reading, so for the size that is in force. Else it must hold
    for all the time since, when the size may have been smaller.
    """
    anchored = bool(found) and found[0] == since
    behind = len(found) - 1 if anchored else len(found)
    size = info.size if anchored else info.size_least
    return info.state.first_seq <= since + 1 and since <= info.state.last_seq and behind < size

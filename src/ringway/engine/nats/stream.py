"""JetStream streams: the configuration that Ringway wants, the state that NATS reports, and what the state proves.

One stream keeps the history of all channels of a namespace. Its sequence numbers are the offsets, so the offsets of a
channel have gaps. It drops publications in two ways: of each subject, all beyond the size; of all subjects, the oldest,
once they exceed the time to live or `bytes_max`. `first_seq` tells how far the second way has come.

Two values are in the stream's metadata, because NATS does not remember them:

- `ringway_life` names the generation of the stream. A member that finds stored publications lost draws a new one. In a
  cluster of servers a stream in memory begins again at 1 after a restart, and after a failure of power a file may lack
  its end; the time of its creation, which distinguishes generations otherwise, stays the same.
- `ringway_size_least` is the smallest size that the stream ever had, once it changed (`is_complete`).
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
    """The settings `engine.history_*` of an engine's streams."""

    storage: Literal["memory", "file"] = "file"
    replicas: int = 0
    """Copies of each stream; 0: three in a cluster of servers, otherwise one."""
    bytes_max: int = 0
    """The bound of each stream; 0: the server's bound."""


class ApiError(msgspec.Struct):
    """The reason for which JetStream refused a request or a publication."""

    code: int = 0
    err_code: int = 0
    description: str = ""


class StreamState(msgspec.Struct):
    """The range of a stream: `first_seq` is `last_seq + 1` if it is empty, and both are 0 if nothing was stored yet."""

    first_seq: int = 0
    last_seq: int = 0


class StreamCluster(msgspec.Struct):
    """The servers of a cluster that keep a stream."""

    leader: str = ""


class StreamInfo(msgspec.Struct):
    """The configuration and the state of a stream, as JetStream reports them."""

    config: dict[str, Any] = {}
    created: str = ""
    state: StreamState = msgspec.field(default_factory=StreamState)
    cluster: StreamCluster | None = None
    ts: str = ""
    error: ApiError | None = None

    @property
    def epoch(self) -> str:
        """The name of the stream's generation: the same for all members."""
        generation = f"{self.config['name']} {self.created} {self.config.get('metadata', {}).get(GENERATION, '')}"
        return hashlib.blake2b(generation.encode(), digest_size=4).hexdigest()

    @property
    def size(self) -> int:
        """The number of publications that are kept of a channel."""
        return int(self.config["max_msgs_per_subject"])

    @property
    def size_least(self) -> int:
        """The smallest size that the stream ever had."""
        return min(self.size, int(self.config.get("metadata", {}).get(SIZE_LEAST, self.size)))

    @property
    def replicas(self) -> int:
        """The number of servers that keep the stream."""
        return int(self.config.get("num_replicas", 1))

    @property
    def clustered(self) -> bool:
        """True if several servers form a cluster; then `created` outlives the stored publications."""
        return self.cluster is not None

    @property
    def age_s(self) -> float:
        """The time since the stream was made, by the server's clock."""
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
    """Return `found` with all settings of `wanted`, or None if it has them already. Additions of operators stay.

    The storage stays too: it cannot be changed without the loss of all stored publications.
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
    """Return `config` with a new generation, which is a new epoch."""
    return {**config, "metadata": {**config.get("metadata", {}), GENERATION: secrets.token_hex(4)}}


def is_complete(since: int, found: Sequence[int], info: StreamInfo) -> bool:
    """True if it is proven that no publication of a channel after `since` is missing in `found`.

    `found` are the channel's offsets from `since` itself on, read to the end; `info` is newer than that read.

    Nothing after `since` can have expired: the stream's first sequence, which only grows, has not passed it. Nothing
    can have been trimmed: a publication is trimmed when as many as the size came after it. From then on the channel
    keeps that many, and a read to the end finds at least that many behind it. If `since` itself was found, this must
    hold for the moment of the read, so for the current size. Otherwise it must hold for all the time since then, in
    which the size may have been smaller.
    """
    anchored = bool(found) and found[0] == since
    behind = len(found) - 1 if anchored else len(found)
    size = info.size if anchored else info.size_least
    return info.state.first_seq <= since + 1 and since <= info.state.last_seq and behind < size

"""What a Redis or Valkey server says of itself, and whether it will do."""

from dataclasses import dataclass

import structlog

from ringway.engine.redis.url import Kind
from ringway.errors import EngineAway, EngineUnsuitable

VERSION_MIN = {Kind.SINGLE: (6, 2), Kind.SENTINEL: (6, 2), Kind.CLUSTER: (7, 0)}
"""6.2 trims streams by their least id; 7.0 has publications that stay in one part of a cluster."""

_NO_PREDECESSOR = "0" * 40

_FITS = {
    "standalone": ((Kind.SINGLE, Kind.SENTINEL), "redis://host:port"),
    "sentinel": ((), "redis+sentinel://host:port/name with the name of what it watches"),
    "cluster": ((Kind.CLUSTER,), "redis+cluster://host:port"),
}

_log = structlog.get_logger()


@dataclass(frozen=True, slots=True)
class Facts:
    """What matters of Redis's INFO."""

    version: str
    run: str
    """Names this run of the server; each start is another."""
    keeps: bool
    """Whether it has after a crash all that it had acknowledged: it logs each write first, and succeeds nobody."""
    mode: str
    evicts: bool
    """Whether it throws keys away when its memory is full."""


def read_facts(info: bytes, appendfsync: bytes) -> Facts:
    """Return what INFO says, and that setting (empty where it is not known).

    With "everysec" Redis may acknowledge what it has not written yet: while it waits for the disk, for up to 2 s.
    """
    lines = (line.partition(":") for line in info.decode(errors="replace").splitlines())
    said = {name: value for name, _, value in lines}
    return Facts(
        version=said.get("redis_version", "0"),
        run=said.get("run_id", ""),
        keeps=said.get("aof_enabled") == "1"
        and appendfsync in (b"always", b"no")
        and said.get("master_replid2") == _NO_PREDECESSOR,
        mode=said.get("redis_mode") or said.get("server_mode") or "standalone",
        evicts=said.get("maxmemory", "0") != "0" and said.get("maxmemory_policy") != "noeviction",
    )


def check(facts: Facts, kind: Kind, where: str) -> None:
    """Raise `EngineUnsuitable` where the server at `where` will not do, and log what it had better be."""
    kinds, remedy = _FITS.get(facts.mode, _FITS["standalone"])
    if kind not in kinds:
        raise EngineUnsuitable(f"Redis at {where} runs as {facts.mode!r}: give {remedy}")
    numbers = tuple(int(part) for part in facts.version.split(".")[:2] if part.isdigit())
    if numbers < VERSION_MIN[kind]:
        wanted = ".".join(map(str, VERSION_MIN[kind]))
        raise EngineUnsuitable(f"Redis at {where} is version {facts.version}; use {wanted} or newer, or Valkey")
    if not facts.run:
        raise EngineAway(f"Redis at {where} does not say which run it is; retry")
    if facts.evicts:
        _log.warning(
            "redis throws away what is kept when its memory is full; set maxmemory-policy noeviction", at=where
        )

"""Information from a Redis or Valkey server about itself, and the check that it is suitable."""

from dataclasses import dataclass

from ringway.engine.redis.url import Kind
from ringway.errors import EngineAway, EngineUnsuitable
from ringway.logger import get_logger

VERSION_MIN = {Kind.SINGLE: (6, 2), Kind.SENTINEL: (6, 2), Kind.CLUSTER: (7, 0)}
"""6.2 trims streams by their least id; 7.0 has publications that stay in one part of a cluster."""

_NO_PREDECESSOR = "0" * 40

_FITS = {
    "standalone": ((Kind.SINGLE, Kind.SENTINEL), "redis://host:port"),
    "sentinel": ((), "redis+sentinel://host:port/name with the name of what it watches"),
    "cluster": ((Kind.CLUSTER,), "redis+cluster://host:port"),
}

_log = get_logger()


@dataclass(frozen=True, slots=True)
class ServerInfo:
    """The part of Redis's INFO that an engine needs."""

    version: str
    run_id: str
    """Names this run of the server; each start has a new id."""
    durable: bool
    """True if a crash loses no acknowledged write: it logs each write first, and did not replace a master."""
    mode: str
    evicts: bool
    """True if it removes keys when its memory is full."""


def read_server_info(info: bytes, appendfsync: bytes) -> ServerInfo:
    """Return the content of INFO. `appendfsync` is the value of that setting (empty: not known).

    With "everysec" Redis may acknowledge a write before it is written, while it waits for the disk, for up to 2 s.
    """
    lines = (line.partition(":") for line in info.decode(errors="replace").splitlines())
    values = {name: value for name, _, value in lines}
    return ServerInfo(
        version=values.get("redis_version", "0"),
        run_id=values.get("run_id", ""),
        durable=values.get("aof_enabled") == "1"
        and appendfsync in (b"always", b"no")
        and values.get("master_replid2") == _NO_PREDECESSOR,
        mode=values.get("redis_mode") or values.get("server_mode") or "standalone",
        evicts=values.get("maxmemory", "0") != "0" and values.get("maxmemory_policy") != "noeviction",
    )


def check_server(info: ServerInfo, kind: Kind, where: str) -> None:
    """Raise `EngineUnsuitable` if the server at `where` cannot be used; log a warning if it may remove keys."""
    kinds, remedy = _FITS.get(info.mode, _FITS["standalone"])
    if kind not in kinds:
        raise EngineUnsuitable(f"Redis at {where} runs as {info.mode!r}: give {remedy}")
    numbers = tuple(int(part) for part in info.version.split(".")[:2] if part.isdigit())
    if numbers < VERSION_MIN[kind]:
        wanted = ".".join(map(str, VERSION_MIN[kind]))
        raise EngineUnsuitable(f"Redis at {where} is version {info.version}; use {wanted} or newer, or Valkey")
    if not info.run_id:
        raise EngineAway(f"Redis at {where} does not say which run it is; retry")
    if info.evicts:
        _log.warning(
            "redis throws away what is kept when its memory is full; set maxmemory-policy noeviction", at=where
        )

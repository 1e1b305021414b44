"""Limits that the machine sets to this process: memory, open files, bytes sent a second. Read once, at the start."""

import os
import resource
from dataclasses import dataclass
from pathlib import Path

_BITS_PER_MBIT = 1_000_000
_UNLIMITED_FROM = 1 << 60  # cgroup v1 says "no limit" with a number near 2^63


@dataclass(frozen=True, slots=True)
class Limits:
    """The limits; 0 for a limit that is not known."""

    memory_bytes: int
    files: int
    egress_bytes_per_s: float


def read_limits(egress_bytes_per_s: float = 0.0, root: Path = Path("/")) -> Limits:
    """Return the limits of this process; `egress_bytes_per_s` above 0 replaces the speed of the network card."""
    return Limits(
        memory_bytes=_memory_bytes(root),
        files=resource.getrlimit(resource.RLIMIT_NOFILE)[0],
        egress_bytes_per_s=egress_bytes_per_s or _card_bytes_per_s(root),
    )


def _memory_bytes(root: Path) -> int:
    """Return the least of the machine's memory and the limits of the process' control groups."""
    known = [_machine_bytes()]
    for line in _read(root / "proc/self/cgroup").splitlines():
        _, controllers, path = line.split(":", 2)
        if controllers == "":
            base, name = root / "sys/fs/cgroup", "memory.max"
        elif "memory" in controllers.split(","):
            base, name = root / "sys/fs/cgroup/memory", "memory.limit_in_bytes"
        else:
            continue
        group = base / path.lstrip("/")
        # a container often sees its own group as the root, under a path that is its host's
        known += [_number(place / name) for place in (group, *group.parents) if place.is_relative_to(base)]
    return min((bytes_ for bytes_ in known if 0 < bytes_ < _UNLIMITED_FROM), default=0)


def _machine_bytes() -> int:
    try:
        return os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")
    except (OSError, ValueError):
        return 0


def _card_bytes_per_s(root: Path) -> float:
    """Return the speed of the network card of the default route; most virtual cards report no speed."""
    for line in _read(root / "proc/net/route").splitlines()[1:]:
        fields = line.split()
        if len(fields) > 1 and fields[1] == "00000000":
            return max(0, _number(root / "sys/class/net" / fields[0] / "speed")) * _BITS_PER_MBIT / 8
    return 0.0


def _read(path: Path) -> str:
    try:
        return path.read_text(errors="replace")
    except OSError:
        return ""


def _number(path: Path) -> int:
    try:
        return int(_read(path))
    except ValueError:  # "max", or nothing
        return 0

"""The identity of files: it differs after each change, also by a rename or an exchanged symbolic link."""

import os
from collections.abc import Iterable

Identity = tuple[tuple[int, ...] | None, ...]


def identify_files(paths: Iterable[str]) -> Identity:
    """Return device, inode, size and times of each file that `paths` lead to; None for a file that is not there."""
    return tuple(_identify(path) for path in paths)


def _identify(path: str) -> tuple[int, ...] | None:
    try:
        found = os.stat(path)
    except (OSError, ValueError):
        return None
    return found.st_dev, found.st_ino, found.st_size, found.st_mtime_ns, found.st_ctime_ns

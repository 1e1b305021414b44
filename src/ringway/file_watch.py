"""Watch over files: changes that polls find, once the files rest.

A file that is being written has as many changes as it has writes. So a change counts when nothing has changed for
`REST_S`, and no file is read in halves.
"""

from collections.abc import Sequence

from ringway.file_identity import identify_files

REST_S = 1.0
"""The time without a change after which files are taken to be complete."""


class FileWatch:
    """Watches the files that `paths` lead to; what is there at the start is no change. `now` is monotonic."""

    def __init__(self, paths: Sequence[str]) -> None:
        self._paths = paths
        self._accepted = self._seen = identify_files(paths)
        self._seen_at = float("-inf")

    def is_at_rest(self, now: float) -> bool:
        """Check the files; return True if they have not changed for `REST_S`."""
        found = identify_files(self._paths)
        if found != self._seen:
            self._seen, self._seen_at = found, now
        return now - self._seen_at >= REST_S

    @property
    def changed(self) -> bool:
        """True if the last check found files that differ from those at the last `accept`."""
        return self._seen != self._accepted

    def accept(self) -> None:
        """Count the files as they are now as known; call it before they are read."""
        self._accepted = self._seen = identify_files(self._paths)

"""Static files that a gateway serves at its public port: a page that uses it, of the same origin.

They are read once, at the start, and answered from memory: no request waits for a disk or can name a later file, and
without static files there is no cost.
"""

from pathlib import Path
from urllib.parse import quote, unquote_to_bytes

from ringway.errors import ConfigError
from ringway.logger import get_logger
from ringway.protocol.response import content

FILES_MAX = 256
BYTES_MAX = 16 << 20
"""This is for a page or two; use a web server for more."""

_TYPES = {
    ".html": "text/html; charset=utf-8",
    ".css": "text/css; charset=utf-8",
    ".js": "text/javascript; charset=utf-8",
    ".json": "application/json",
    ".svg": "image/svg+xml",
    ".png": "image/png",
    ".ico": "image/x-icon",
    ".woff2": "font/woff2",
    ".txt": "text/plain; charset=utf-8",
}

_log = get_logger()

# A browser must believe the type of each file, and ask if the file has changed: a demo is often built anew.
_HEADERS = (("X-Content-Type-Options", "nosniff"), ("Cache-Control", "no-cache"))


class StaticFiles:
    """The files below `directory`, by path; no files if it is empty. Raise `ConfigError` if they cannot be read."""

    def __init__(self, directory: str) -> None:
        self._open: dict[str, bytes] = {}
        self._last: dict[str, bytes] = {}
        size = 0
        for path, file in _files(directory) if directory else ():
            try:
                body = file.read_bytes()
            except OSError as error:
                raise ConfigError(f"gateway.pages: {file} cannot be read ({error.strerror})") from error
            size += len(body)
            if size > BYTES_MAX:
                raise ConfigError(
                    f"gateway.pages is {directory}, which holds more than {BYTES_MAX >> 20} MiB; serve it elsewhere"
                )
            kind = _TYPES.get(file.suffix, "application/octet-stream")
            for where in (path, path.removesuffix("index.html")):
                self._open[where] = content(kind, body, *_HEADERS)
                self._last[where] = content(kind, body, *_HEADERS, close=True)

    def __len__(self) -> int:
        return len(self._open)

    def has(self, path: str) -> bool:
        """True if there is a file at `path`."""
        return bool(self._open) and self.response_to(path, close=False) is not None

    def response_to(self, path: str, *, close: bool) -> bytes | None:
        """Return the whole response to a GET of `path`, None if there is no such file."""
        if "%" in path or not path.isascii():  # clients encode different characters
            path = _quoted(unquote_to_bytes(path.encode("latin-1")))
        return (self._last if close else self._open).get(path)


def _files(directory: str) -> list[tuple[str, Path]]:
    """Return each file below `directory` with its path in requests.

    Names that begin with a dot are left out, and links that lead out of the directory or to such a name: these files
    are not meant to be served.
    """
    root = Path(directory)
    if not root.is_dir():
        raise ConfigError(f"gateway.pages is {directory!r}, which is no directory; give one that holds an index.html")
    inside = root.resolve()
    shown: list[tuple[str, Path]] = []
    for file in sorted(root.rglob("*")):
        if not file.is_file():
            continue
        name = file.relative_to(root)
        real = file.resolve()
        if not real.is_relative_to(inside):
            _log.warning("a link leads out of the pages and is not served", link=str(file), target=str(real))
        elif not _is_hidden(name) and not _is_hidden(real.relative_to(inside)):
            shown.append((f"/{_quoted(bytes(name))}", real))
    if len(shown) > FILES_MAX:
        raise ConfigError(f"gateway.pages is {directory}, which holds {len(shown)} files; serve at most {FILES_MAX}")
    return shown


def _is_hidden(name: Path) -> bool:
    return any(part.startswith(".") for part in name.parts)


def _quoted(path: bytes) -> str:
    return quote(path, safe="/~!$&'()*+,;=:@")

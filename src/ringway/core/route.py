"""Routes: which group of members carries a WebSocket, by the host and the path of its request (PROTOCOL.md P-3.13).

The most specific route is chosen: one for this host before one for a domain above it (the longest first), that before
one for any host; then the longest path. A path is a prefix of whole segments: `/chat` is for `/chat` and `/chat/a`, not
for `/chats`. Hosts are compared without port and case, paths as they were sent. A host whose routes have no fitting
path is passed over. The order of routes has no meaning, because no two have the same host and path.
"""

from collections.abc import Iterable, Iterator

import msgspec

from ringway.protocol.address import split_host
from ringway.protocol.backend import Backend, OnMove
from ringway.protocol.group import DEFAULT

CLOSE_AT_END = "close"
"""The value of `auth_end` by which a WebSocket ends with its token."""


class GroupRoute(msgspec.Struct, frozen=True, array_like=True, omit_defaults=True):
    """One route. What it leaves out is as its backends and the gateway's settings say."""

    path: str = "/"
    host: str = ""
    """A name, `*.name` for all names below it, or empty for any."""
    group: str = DEFAULT
    policy: str = ""
    """The policy of its group in short form."""
    on_move: OnMove | None = None
    close_code: int | None = None
    restart_codes: tuple[int, ...] | None = None
    check: str = ""
    """The path of the check of those backends of its group that have none of their own."""
    check_host: str = ""
    auth: str = ""
    """"jwt": the gateway asks for a token before it troubles a node; empty: it asks for none."""
    http: bool = False
    """True if plain HTTP requests are carried as well, beside WebSockets."""
    sticky: str = ""
    """How plain requests of one session are known (`core.sticky.kind`); empty: each is placed by itself."""

    auth_end: str = ""
    """"close": the gateway closes a WebSocket when its token ends; empty: it stays open."""

    @property
    def place(self) -> tuple[str, str]:
        """Host and path, in the form in which two routes with the same are the same: `a.b.` is `a.b` in full."""
        return self.host.lower().removesuffix("."), self.path.rstrip("/")

    @property
    def is_plain(self) -> bool:
        """True if backends are for this route as their sources describe them."""
        return self.on_move is None and self.close_code is None and self.restart_codes is None

    def adapt(self, backend: Backend) -> Backend:
        """Return `backend` as it is for WebSockets of this route."""
        changes = {
            name: value
            for name in ("on_move", "close_code", "restart_codes")
            if (value := getattr(self, name)) is not None and value != getattr(backend, name)
        }
        return msgspec.structs.replace(backend, **changes) if changes else backend

    def __str__(self) -> str:
        return f"{self.host or '*'}{self.path}"


class RouteTable:
    """A set of routes, of which no two have the same host and path."""

    __slots__ = ("_any", "_by_host", "_deepest", "_routes", "_wild")

    def __init__(self, routes: Iterable[GroupRoute] = ()) -> None:
        self._routes = tuple(msgspec.structs.replace(route, host=route.place[0]) for route in routes)
        self._by_host: dict[str, dict[str, GroupRoute]] = {}
        self._wild: dict[str, dict[str, GroupRoute]] = {}  # by the domain that hosts are below
        self._any: dict[str, GroupRoute] = {}
        self._deepest = 0  # segments of the longest path
        for route in self._routes:
            self._table_of(route.host)[route.place[1]] = route
            self._deepest = max(self._deepest, route.place[1].count("/"))

    def __iter__(self) -> Iterator[GroupRoute]:
        return iter(self._routes)

    def __len__(self) -> int:
        return len(self._routes)

    def find(self, host: str, path: str) -> GroupRoute | None:
        """Return the route for a request at `host` (`name[:port]`) for `path`; None if there is none."""
        prefixes = self._prefixes(path)
        for table in self._tables(host):
            for prefix in prefixes:
                route = table.get(prefix)
                if route is not None:
                    return route
        return None

    def _table_of(self, host: str) -> dict[str, GroupRoute]:
        if not host:
            return self._any
        if host.startswith("*."):
            return self._wild.setdefault(host[2:], {})
        return self._by_host.setdefault(host, {})

    def _tables(self, host: str) -> Iterator[dict[str, GroupRoute]]:
        """Yield the routes of each host that fits, the most specific host first."""
        if self._by_host or self._wild:
            split = split_host(host)
            name = split[0].removesuffix(".") if split is not None else ""
            if name in self._by_host:
                yield self._by_host[name]
            parent = name.partition(".")[2] if self._wild else ""
            while parent:
                if parent in self._wild:
                    yield self._wild[parent]
                parent = parent.partition(".")[2]
        yield self._any

    def _prefixes(self, path: str) -> list[str]:
        """Return the prefixes of `path` that a route may have, the longest first; the last is that of all paths."""
        segments = path.split("/", self._deepest + 1)[: self._deepest + 1]
        return ["/".join(segments[:count]) for count in range(len(segments), 0, -1)]

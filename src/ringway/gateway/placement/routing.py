"""Routing of a gateway: the group that carries a request, by the configured routes, or by the present members.

Without routes there is one group of backends. If there are channel nodes as well, the path that they report leads to
them, and all other paths lead to the backends. With routes the same holds, unless a route names the channel nodes.
"""

from collections.abc import Sequence
from urllib.parse import urlsplit

from ringway.core.group import Group, Groups
from ringway.core.placement.key import KeyReader
from ringway.core.route import GroupRoute, RouteTable
from ringway.core.route_guard import RouteGuard
from ringway.errors import UpgradeError
from ringway.protocol.group import CHANNELS, DEFAULT

_TO_DEFAULT = GroupRoute(group=DEFAULT)
_TO_CHANNELS = GroupRoute(group=CHANNELS)

SHOWN_MAX = 5
"""The routes that an error names."""


class Routing:
    """The routing of one gateway. `has_backends`: its settings name sources of backends, which may be empty yet."""

    def __init__(self, routes: Sequence[GroupRoute], groups: Groups, *, has_backends: bool = False) -> None:
        self._groups = groups
        self._configured = routes
        self._has_backends = has_backends
        self._names_channels = any(route.group == CHANNELS for route in routes)
        self._version = -1
        self._routes = RouteTable()
        self._only: GroupRoute | None = None
        self._guard: RouteGuard | None = None  # None: all routes ask for tokens, or none does

    @property
    def only(self) -> GroupRoute | None:
        """The route of all requests; None if the route depends on the request."""
        if self._version != self._groups.version:
            self._update()
        return self._only

    def find(self, host: str, path: str) -> GroupRoute:
        """Return the route of a WebSocket at `host` for `path`; raise `UpgradeError` 404 if there is none, and 400 if
        the path is another spelling of one that needs a token."""
        route = self.only or self._routes.find(host, path)
        if route is None:
            raise self._nowhere(host, path)
        if self._guard is not None and not route.auth:
            self._guard.check(host, path)
        return route

    def find_with_keys(self, host: str, path: str) -> tuple[GroupRoute, KeyReader]:
        """As `find`, with the reader of clients' keys by the policy of the group."""
        route = self.find(host, path)
        return route, self._groups[route.group].steering.keys

    def find_asked(self, host: str, path: str) -> GroupRoute:
        """As `find`, for a `GET /gateway`; without a `path` it is about the channel nodes, if there are any."""
        if path:
            return self.find(host, path)
        if CHANNELS in self._groups:
            return next((route for route in self._configured if route.group == CHANNELS), _TO_CHANNELS)
        return self.find(host, "/")

    def known_groups(self) -> set[str]:
        """Return the names of the groups that have members, or had members a while ago."""
        return {group.name for group in self._groups}

    def unreached(self) -> list[Group]:
        """Return the groups with members to which no route leads; empty without routes."""
        if not self._configured or self.only is not None:
            return []
        led = {route.group for route in self._routes}
        return [group for group in self._groups if group.name not in led and group.view.nodes]

    def why_unreached(self, group: str) -> str:
        """Return why the members of `group` get no clients here, with the remedy; empty if a route leads there."""
        if not self._configured or self.only is not None or group in {route.group for route in self._routes}:
            return ""
        return (
            f"gets no clients here: no route leads to its group {group!r}; add a [[route]] with group = {group!r}, or "
            "correct its group"
        )

    def _update(self) -> None:
        """Read the names of the groups: they change when the first member of a group comes."""
        self._version = self._groups.version
        channels = CHANNELS in self._groups
        backends = self._has_backends or any(group.name != CHANNELS for group in self._groups)
        if not self._configured and not (channels and backends):
            self._only = _TO_CHANNELS if channels else _TO_DEFAULT
            return
        self._only = None
        routes = list(self._configured) or [_TO_DEFAULT]
        if channels and not self._names_channels:
            taken = {route.place for route in routes}
            implied = [GroupRoute(path=path, group=CHANNELS) for path in sorted(self._channel_paths())]
            routes += (route for route in implied if route.place not in taken)
        self._routes = RouteTable(routes)
        self._guard = RouteGuard(routes) if len({bool(route.auth) for route in routes}) > 1 else None

    def _channel_paths(self) -> set[str]:
        """Return the paths in the URLs that channel nodes report."""
        nodes = self._groups[CHANNELS].view.nodes.values()
        urls = [node.report.url for node in nodes if node.report is not None]
        return {urlsplit(url).path or "/" for url in urls}

    def _nowhere(self, host: str, path: str) -> UpgradeError:
        shown = [str(route) for route in self._routes]
        more = f" and {len(shown) - SHOWN_MAX} more" if len(shown) > SHOWN_MAX else ""
        return UpgradeError(
            404,
            f"no route leads from {path[:200]} at host {host[:100] or '(none)'} to a server; there are routes for "
            f"{', '.join(shown[:SHOWN_MAX])}{more}: correct the URL, or add a [[route]] with this path to the gateway",
        )

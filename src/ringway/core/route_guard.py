"""Guard of routes that ask for tokens: no other spelling of their paths leads past them (PROTOCOL.md P-3.13.4).

Routes compare paths as they were sent, and servers read them in many ways: percent-decoded, in any case, with `..`,
empty segments or backslashes resolved, without parameters after a semicolon. So `/%63hat`, `/CHAT`, `/open/../chat`
and `/chat;x` could come by an open route to what `/chat` asks a token for. The guard reads a path in all these ways at
once, and refuses it if it then belongs to a route that asks for a token.
"""

from collections.abc import Iterable
from urllib.parse import unquote

import msgspec

from ringway.core.route import GroupRoute, RouteTable
from ringway.errors import UpgradeError

DECODINGS_MAX = 4
"""How often a path is decoded: some servers decode what a proxy has decoded already."""

_SPECIAL = ("%", ";", "\\", "//", "/.")


class RouteGuard:
    """The guard of `routes`, some of which ask for tokens."""

    __slots__ = ("_table",)

    def __init__(self, routes: Iterable[GroupRoute]) -> None:
        plain = [msgspec.structs.replace(route, path=plain_path(route.path)) for route in routes]
        plain.sort(key=lambda route: bool(route.auth))  # of two with one path, that with a token stays
        self._table = RouteTable({route.place: route for route in plain}.values())

    def check(self, host: str, path: str) -> None:
        """Raise `UpgradeError` 400 if `path`, which leads to an open route, is another spelling of a guarded one."""
        if path == path.lower() and not any(each in path for each in _SPECIAL):
            return
        route = self._table.find(host, plain_path(path))
        if route is not None and route.auth:
            raise UpgradeError(
                400,
                f"this path is another spelling of one that needs a token; write it as the route does: {route.path}",
            )


def plain_path(path: str) -> str:
    """Return `path` as the most lenient server reads it: decoded, resolved, in lower case, without parameters."""
    for _ in range(DECODINGS_MAX):
        decoded = unquote(path, "latin-1")
        if decoded == path:
            break
        path = decoded
    kept: list[str] = []
    for segment in path.replace("\\", "/").split("/"):
        name = segment.partition(";")[0]
        if name == "..":
            del kept[-1:]
        elif name not in ("", "."):
            kept.append(name)
    return "/" + "/".join(kept).lower()

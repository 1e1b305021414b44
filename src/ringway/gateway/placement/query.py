"""Query parameters that concern the gateway: `key`, `node`, `ticket`, `moves`, `resume` (PROTOCOL.md P-3, P-7)."""

from urllib.parse import quote, unquote_plus

from ringway.core.placement.key_source import QUERY_FIELDS_MAX, decode_value

_OURS = ("key", "node", "ticket", "moves", "resume")
"""Only the gateway sends these to nodes: it follows the moves, and resumes the sessions that it has followed."""


class Query:
    """A client's query: the parameters for the gateway, and the unchanged rest."""

    __slots__ = ("key", "node", "rest", "ticket")

    def __init__(self, query: str) -> None:
        """Read `query`. If a parameter is repeated, its first value counts, here and at nodes.

        Parameters beyond `QUERY_FIELDS_MAX` are passed on unread; a node refuses a request with so many.
        """
        self.key: bytes | None = None  # the client's parameter; the policy may read a different key (`affinity`)
        self.node = ""
        self.ticket = ""
        self.rest = query
        if not query:
            return
        rest: list[str] = []
        found: dict[str, bytes] = {}
        items = query.split("&", QUERY_FIELDS_MAX)
        for item in items[:QUERY_FIELDS_MAX]:
            name, _, value = item.partition("=")
            if "%" in name or "+" in name:
                name = unquote_plus(name)
            if name in _OURS:
                found.setdefault(name, decode_value(value))
            elif item:
                rest.append(item)
        self.rest = "&".join(rest + items[QUERY_FIELDS_MAX:])
        self.key = found.get("key") or None
        self.node = found.get("node", b"").decode("latin-1")
        self.ticket = found.get("ticket", b"").decode("latin-1")

    def for_node(self, key: bytes | None, ticket: str, *, resume: bool = False) -> str:
        """Return the query of the request to a channel node: the client's own, `key`, `ticket`, and `moves=1`.

        With `resume`, the ticket is for a session that was moved there.
        """
        parts = [self.rest] if self.rest else []
        if key is not None:
            parts.append("key=" + quote_key(key))
        if ticket:
            parts.append("ticket=" + ticket)
        if resume:
            parts.append("resume=1")
        parts.append("moves=1")
        return "&".join(parts)


def quote_key(key: bytes) -> str:
    """Return `key` percent-encoded, byte for byte."""
    return quote(key, safe="")

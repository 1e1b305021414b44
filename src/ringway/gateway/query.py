"""The query parameters that concern the gateway: `key`, `node` and `ticket` (PROTOCOL.md P-3)."""

from urllib.parse import quote, unquote_plus

_OURS = ("key", "node", "ticket")


class Query:
    """What a client's query asks of the gateway, and the rest of it, as it came."""

    __slots__ = ("key", "node", "rest", "ticket")

    def __init__(self, query: str) -> None:
        """Read `query`; of several parameters of one name the first counts, so that nobody can read another."""
        self.key: str | None = None
        self.node = ""
        self.ticket = ""
        self.rest = query
        if not query:
            return
        rest: list[str] = []
        found: dict[str, str] = {}
        for item in query.split("&"):
            name, _, value = item.partition("=")
            if "%" in name or "+" in name:
                name = unquote_plus(name)
            if name in _OURS:
                found.setdefault(name, unquote_plus(value, "utf-8", "surrogateescape"))
            elif item:
                rest.append(item)
        self.rest = "&".join(rest)
        self.key = found.get("key") or None
        self.node = found.get("node", "")
        self.ticket = found.get("ticket", "")

    @property
    def key_bytes(self) -> bytes | None:
        """The affinity key as policies take it."""
        return None if self.key is None else self.key.encode("utf-8", "surrogateescape")

    def for_node(self, ticket: str) -> str:
        """Return the query of the request to a node: the client's own, its key, and `ticket`."""
        parts = [self.rest] if self.rest else []
        if self.key is not None:
            parts.append("key=" + quote_key(self.key))
        if ticket:
            parts.append("ticket=" + ticket)
        return "&".join(parts)


def quote_key(key: str) -> str:
    """Return `key` percent-encoded, byte for byte as it came."""
    return quote(key, safe="", errors="surrogateescape")

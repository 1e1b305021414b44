"""Names of Ringway's keys and channels in Redis.

    <prefix>:<cluster>:<kind>:{<token>}

The token is for a channel, an address or a member. It is in braces in all names that belong to it, so these share a
slot of a Redis Cluster. Tokens contain no braces.
"""

from dataclasses import dataclass

from ringway.engine.address import token


@dataclass(frozen=True, slots=True)
class Names:
    """Names that begin with `<prefix>:<cluster>:`."""

    prefix: str
    cluster: str

    def prefix_of(self, kind: str) -> bytes:
        """Return the beginning of all names of `kind`."""
        return f"{self.prefix}:{self.cluster}:{kind}:".encode()

    def of(self, kind: str, what: str) -> bytes:
        """Return the name of `kind` for `what`."""
        return self.prefix_of(kind) + end_of(what)


def end_of(what: str) -> bytes:
    """Return the end of all names for `what`, behind the prefix of their kind."""
    return b"{%b}" % token(what).encode()

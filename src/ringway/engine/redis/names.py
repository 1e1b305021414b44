"""What Ringway's keys and channels are called in Redis.

    <prefix>:<cluster>:<kind>:{<token>}

The token stands for a channel, an address or a member; all that belongs to it has it in braces, and so lies in one slot
of a cluster. Tokens hold no braces.
"""

from dataclasses import dataclass

from ringway.engine.address import token


@dataclass(frozen=True, slots=True)
class Names:
    """Names that begin with `<prefix>:<cluster>:`."""

    prefix: str
    cluster: str

    def start(self, kind: str) -> bytes:
        """Return what all names of `kind` begin with."""
        return f"{self.prefix}:{self.cluster}:{kind}:".encode()

    def of(self, kind: str, what: str) -> bytes:
        """Return the name of `kind` that stands for `what`."""
        return b"%b{%b}" % (self.start(kind), token(what).encode())

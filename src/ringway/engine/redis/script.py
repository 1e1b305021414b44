"""Scripts that run inside Redis, each atomically. Their texts are in `lua/`."""

import hashlib
from collections.abc import Sequence
from importlib import resources

from ringway.engine.redis.command_connection import Argument, pack


class Script:
    """A script of one or more files. A call returns the command that runs it, after Redis has loaded it."""

    def __init__(self, *names: str) -> None:
        folder = resources.files("ringway.engine.redis") / "lua"
        text = "\n".join((folder / f"{name}.lua").read_text() for name in names)
        self.load = pack("SCRIPT", "LOAD", text)
        """The command that loads it."""
        self._sha1 = hashlib.sha1(text.encode(), usedforsecurity=False).hexdigest().encode()

    def __call__(self, keys: Sequence[bytes], *arguments: Argument) -> bytes:
        """Return the command; all `keys` must be of one slot."""
        return pack(b"EVALSHA", self._sha1, len(keys), *keys, *arguments)


lineage = Script("lineage")
append = Script("stream", "append")
read = Script("stream", "read")
position = Script("stream", "position")
remove = Script("stream", "remove")
acquire = Script("acquire")
renew = Script("renew")
request = Script("request")

ALL = (lineage, append, read, position, remove, acquire, renew, request)

"""The scripts that run inside Redis, each atomically. They are read from `redis_lua/`."""

import hashlib
from dataclasses import dataclass
from importlib import resources

from ringway.engine.redis_link import Word, pack


@dataclass(frozen=True, slots=True)
class Script:
    """A script; Redis knows it by the SHA-1 of its text, once it was loaded."""

    text: str

    @property
    def load(self) -> bytes:
        """The command that loads it."""
        return pack("SCRIPT", "LOAD", self.text)

    def caller(self) -> "Call":
        """Return what makes its calls."""
        return Call(hashlib.sha1(self.text.encode(), usedforsecurity=False).hexdigest().encode())


@dataclass(frozen=True, slots=True)
class Call:
    """Makes the command that runs a script."""

    sha1: bytes

    def __call__(self, keys: tuple[bytes, ...], *arguments: Word) -> bytes:
        """Return the command; all `keys` must be of one slot."""
        return pack(b"EVALSHA", self.sha1, len(keys), *keys, *arguments)


def _read(*names: str) -> Script:
    folder = resources.files("ringway.engine") / "redis_lua"
    return Script("\n".join((folder / f"{name}.lua").read_text() for name in names))


_LINE = _read("line")
_APPEND = _read("stream", "append")
_READ = _read("stream", "read")
_POSITION = _read("stream", "position")
_ACQUIRE = _read("acquire")
_RENEW = _read("renew")
_ASK = _read("ask")

ALL = (_LINE, _APPEND, _READ, _POSITION, _ACQUIRE, _RENEW, _ASK)

line = _LINE.caller()
append = _APPEND.caller()
read = _READ.caller()
position = _POSITION.caller()
acquire = _ACQUIRE.caller()
renew = _RENEW.caller()
ask = _ASK.caller()

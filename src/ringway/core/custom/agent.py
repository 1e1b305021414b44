"""Agent check of HAProxy: its words, and the state that they give a node (HAProxy configuration manual, `agent-check`).

An agent answers a connection with one line of ASCII words, separated by spaces, tabs or commas, in any case:

- `75%`, or `weight:75%`: a share of the configured weight; `weight:N` an absolute weight; 0 drains
- `maxconn:N`: at most so many connections
- `ready`, `drain`, `maint`: the administrative state; `up`, `down`, `failed` (also `fail`), `stopped`: the operational
  one, which may be followed by `#` and a reason up to the end of the line

Each word changes one property of a server and no more: after `drain` the server drains until `ready`, and after `down`
it is down until `up`. Unknown words are ignored, as in HAProxy; a line without any known word is refused.
"""

import re
from typing import Literal

import msgspec

Admin = Literal["ready", "drain", "maint"]

REASON_MAX = 80
"""Characters of an agent's reason that are repeated to operators."""

SHARE_MAX = 100.0

_WEIGHT = re.compile(r"(?:weight:)?(\d{1,6}(?:\.\d{1,6})?)%")
_ABSOLUTE = re.compile(r"weight:(\d{1,6}(?:\.\d{1,6})?)")
_MAXCONN = re.compile(r"maxconn:(\d{1,9})")


class Words(msgspec.Struct, frozen=True, kw_only=True):
    """The content of one line; a field is None if the line does not mention it."""

    share: float | None = None  # of the configured weight
    weight: float | None = None  # instead of the configured weight
    connections_max: int | None = None
    admin: Admin | None = None
    down: str | None = None  # the reason for which it is down; empty: it is up


class Advice(msgspec.Struct, frozen=True, kw_only=True):
    """The state of a node after all lines of its agent so far."""

    share: float = 1.0
    weight: float | None = None
    connections_max: int = 0  # 0: unlimited
    admin: Admin = "ready"
    down: str = ""

    def follow(self, words: Words) -> "Advice":
        """Return the advice after `words`."""
        share, weight = self.share, self.weight
        if words.share is not None:
            share, weight = words.share, None
        elif words.weight is not None:
            share, weight = 1.0, words.weight
        return Advice(
            share=share,
            weight=weight,
            connections_max=self.connections_max if words.connections_max is None else words.connections_max,
            admin=words.admin or self.admin,
            down=self.down if words.down is None else words.down,
        )

    def factor(self, weight_own: float) -> float:
        """Return the factor of the weight that the node reports."""
        if self.weight is not None:
            return self.weight / weight_own if weight_own > 0 else 1.0
        return self.share

    @property
    def against(self) -> str:
        """The reason why the node should get no newcomers; empty if it may get them."""
        if self.admin != "ready":
            return f"its agent says {self.admin}"
        if self.down:
            return f"its agent says {self.down}"
        return "its agent gives it no weight" if 0.0 in (self.share, self.weight) else ""


def parse_line(line: str) -> Words:
    """Return the words of `line`; raise `ValueError` if it has no known word."""
    text, hash_, reason = line.strip().partition("#")
    said: dict[str, object] = {}
    for word in re.split(r"[\s,]+", text.strip().lower()):
        if (found := _WEIGHT.fullmatch(word)) is not None:
            said["share"] = min(float(found[1]) / 100, SHARE_MAX)
        elif (found := _ABSOLUTE.fullmatch(word)) is not None:
            said["weight"] = float(found[1])
        elif (found := _MAXCONN.fullmatch(word)) is not None:
            said["connections_max"] = int(found[1])
        elif word in ("ready", "drain", "maint"):
            said["admin"] = word
        elif word in ("down", "fail", "failed", "stopped"):
            said["down"] = f"{word} ({_printable(reason)})" if hash_ and reason.strip() else word
        elif word == "up":
            said["down"] = ""
    if not said:
        raise ValueError(f"the line {_printable(line)!r} has no word of an agent check, such as 75%, ready or down")
    return msgspec.convert(said, Words)


def _printable(text: str) -> str:
    return "".join(char if char.isprintable() else "?" for char in text.strip())[:REASON_MAX]

"""Error replies of Redis as engine errors, which say if a retry can help and who must act."""

from ringway.errors import EngineAway, EngineError, EngineUnsuitable

ELSEWHERE = ("MOVED", "ASK", "READONLY", "CLUSTERDOWN", "TRYAGAIN", "MASTERDOWN", "LOADING", "NOSCRIPT", "UNBLOCKED")
"""Codes of a server that is not responsible, or not yet: the list of servers must be read again."""

_TEMPORARY = (*ELSEWHERE, "BUSY", "NOREPLICAS")

_REMEDIES = {
    "NOPERM": "the user of the engine URL lacks a permission; `ringway` needs all of its keys and channels",
    "NOAUTH": "it wants a password; give it in the engine URL, as in redis://user:password@host",
    "WRONGPASS": "check user and password in the engine URL",
    "OOM": "its memory is full; raise maxmemory, or keep less history",
    "MISCONF": "it cannot write its data to disk; see its log",
}


def code_of(text: str) -> str:
    """Return the code at the beginning of an error reply; if the error is of a script, the code of its cause."""
    code = text.partition(" ")[0]
    if code in ("ERR", "@user_script") or not code.isupper():
        return next((known for known in (*_TEMPORARY, *_REMEDIES) if known in text), "ERR")
    return code


def error_of_reply(text: str) -> EngineError:
    """Return the error for an error reply; the command had no effect in any case."""
    code = code_of(text)
    if code in _TEMPORARY:
        return EngineAway(f"Redis cannot do it at the moment ({text}); nothing was done, retry")
    if code in ("ERR", "WRONGTYPE") or code not in _REMEDIES:
        return EngineUnsuitable(f"Redis refused: {text}")
    return EngineUnsuitable(f"Redis refused: {text}; {_REMEDIES[code]}")


def is_elsewhere(text: str) -> bool:
    """Return True if the error reply says that a different server is responsible."""
    return code_of(text) in ELSEWHERE

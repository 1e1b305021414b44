"""Globs: `*` any text, `?` one character, `[abc]`, `[a-z]`, `[!a-z]` one of them, `{chat,news}` one of these texts.

A glob matches a whole name. Matching takes time in proportion to the name: the stars do not go back
(`fnmatch.translate`). The texts in braces are written out, so that they are bounded.
"""

import fnmatch
import re
from collections.abc import Callable

GLOB_LENGTH_MAX = 255
ALTERNATIVES_MAX = 64
"""The most globs that braces may stand for."""


def compile_glob(glob: str) -> Callable[[str], bool]:
    """Return a function that says whether a name matches `glob`. Raise `ValueError` with the rule if it is unusable."""
    if len(glob) > GLOB_LENGTH_MAX:
        raise ValueError(f"the pattern has {len(glob)} characters; at most {GLOB_LENGTH_MAX} are allowed")
    matchers = [re.compile(fnmatch.translate(each)).match for each in _write_out(glob)]
    return lambda name: any(match(name) for match in matchers)


def _write_out(glob: str) -> list[str]:
    """Return the globs without braces that `glob` stands for."""
    done, todo = [], [glob]
    while todo:
        each = todo.pop()
        found = re.search(r"\{([^{}]*)\}", each)
        if found is None:
            if "{" in each or "}" in each:
                raise ValueError(f"the pattern {glob!r} has a brace without its other half; write {{one,two}}")
            done.append(each)
        else:
            todo += [each[: found.start()] + text + each[found.end() :] for text in found[1].split(",")]
        if len(done) + len(todo) > ALTERNATIVES_MAX:
            raise ValueError(f"the pattern stands for more than {ALTERNATIVES_MAX} texts; use fewer braces")
    return done

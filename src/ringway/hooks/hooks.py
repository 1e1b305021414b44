"""Hooks of a node: each by its name."""

from collections.abc import Callable, Iterable, Iterator

from ringway.hooks.config import read_hooks
from ringway.hooks.hook import Hook


class Hooks:
    """The hooks of the short forms `specs`. `clock` is monotonic. Raise `ConfigError` if a file cannot be used."""

    def __init__(self, specs: Iterable[str], clock: Callable[[], float]) -> None:
        self._named = {name: Hook(name, options, clock) for name, options in read_hooks(specs).items()}

    def __iter__(self) -> Iterator[Hook]:
        """All hooks."""
        return iter(self._named.values())

    def named(self, name: str) -> Hook | None:
        """Return the hook `name`; None if the name is empty. Settings that name others are refused at the start."""
        return self._named[name] if name else None

    @property
    def headers(self) -> frozenset[str]:
        """The names of the clients' headers that any hook is passed, in lower case."""
        return frozenset(name for hook in self for name in hook.options.headers)

    def problem(self) -> str:
        """Return what is wrong with the hooks; '' if nothing is."""
        return "; ".join(filter(None, (hook.problem for hook in self)))

    def close(self) -> None:
        """Close the connections of all hooks."""
        for hook in self:
            hook.close()

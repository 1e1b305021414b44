"""Commands as data: the words that may follow a command's name, for the quick parser and for typer.

A command is a function. `Annotated[..., Option(...)]` or `Argument(...)` describe how its parameters are given.
"""

from collections.abc import Callable, Mapping
from typing import Any

REQUIRED: Any = object()
"""The default of a required parameter."""


class Exit(Exception):
    """The end of the command, with an exit code. All messages have been printed."""

    def __init__(self, code: int) -> None:
        super().__init__(code)
        self.code = code


class Option:
    """An option: `--name`, or for a switch `--name/--no-name`. Without flags it has the name of its parameter."""

    __slots__ = ("flags", "help", "max", "metavar", "min", "panel", "show_default")

    def __init__(
        self,
        *flags: str,
        help: str,
        metavar: str | None = None,
        min: float | None = None,
        max: float | None = None,
        panel: str | None = None,
        show_default: bool = True,
    ) -> None:
        self.flags = flags
        self.help = help
        self.metavar = metavar
        self.min = min
        self.max = max
        self.panel = panel
        self.show_default = show_default


class Argument:
    """A word at a fixed place; a list takes all words that are left."""

    __slots__ = ("help", "metavar")

    def __init__(self, *, metavar: str, help: str) -> None:
        self.metavar = metavar
        self.help = help


class Parameter:
    """One parameter of a command. `annotation` is its type in the function's signature."""

    __slots__ = ("annotation", "declared", "default", "kind", "listed", "name")

    def __init__(self, name: str, annotation: Any, declared: Option | Argument, default: Any) -> None:
        self.name = name
        self.annotation = annotation
        self.declared = declared
        self.default = default
        present = [each for each in getattr(annotation, "__args__", ()) if each is not type(None)]
        inner = present[0] if present and type(annotation).__name__ == "UnionType" else annotation
        self.listed = getattr(inner, "__origin__", None) is list
        self.kind: type = inner.__args__[0] if self.listed else inner

    @property
    def flags(self) -> tuple[str, ...]:
        """The flags of an option, as they are declared."""
        assert isinstance(self.declared, Option)
        return self.declared.flags or ("--" + self.name.replace("_", "-"),)


class CommandGroup:
    """Commands below one name. `default` is carried out if no subcommand is named."""

    __slots__ = ("commands", "default", "help")

    def __init__(
        self, commands: Mapping[str, Callable[..., None]], default: Callable[..., None] | None = None, help: str = ""
    ) -> None:
        self.commands = commands
        self.default = default
        self.help = help


def parameters_of(command: Callable[..., None]) -> list[Parameter]:
    """Return the parameters of `command`: those of its function, or those that a decorator gave it."""
    given: list[Parameter] | None = getattr(command, "parameters", None)
    if given is not None:
        return given
    code: Any = command.__code__
    names = code.co_varnames[: code.co_argcount + code.co_kwonlyargcount]
    plain: tuple[Any, ...] = command.__defaults__ or ()
    defaults = dict(zip(names[code.co_argcount - len(plain) : code.co_argcount], plain, strict=True))
    defaults |= command.__kwdefaults__ or {}
    declared = [(name, command.__annotations__.get(name)) for name in names]
    return [
        Parameter(name, annotation.__origin__, annotation.__metadata__[0], defaults.get(name, REQUIRED))
        for name, annotation in declared
        if annotation is not None and hasattr(annotation, "__metadata__")
    ]


def with_parameters(
    command: Callable[..., None], into: str, derived: Mapping[str, Parameter], gather: Callable[[dict[str, Any]], Any]
) -> Callable[..., None]:
    """Return `command` with the parameters `derived` instead of `into`, which gets the result of `gather`."""

    def wrapped(**values: Any) -> None:
        given = {name: values.pop(name) for name in derived}
        command(**{into: gather(given)}, **values)

    wrapped.__name__ = command.__name__
    wrapped.__doc__ = command.__doc__
    wrapped.parameters = [*parameters_of(command), *derived.values()]  # type: ignore[attr-defined]
    return wrapped

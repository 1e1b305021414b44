"""Quick parser of correct command lines. Unusual or wrong command lines are left to typer, which is slow to load.

The result is equal to typer's (a test compares them); None means that typer must be used.
"""

import re
from collections.abc import Callable, Sequence
from typing import Any

from ringway.cli.command import REQUIRED, Argument, CommandGroup, Option, Parameter, parameters_of

Chosen = tuple[Callable[..., None], dict[str, Any]]

_NUMBERS = {int: re.compile(r"-?[0-9]{1,18}"), float: re.compile(r"[0-9]{1,18}(\.[0-9]{1,18})?")}


class _Unusual(Exception):
    """Words that are left to typer."""


def read_quickly(words: Sequence[str], found: Callable[..., None] | CommandGroup) -> Chosen | None:
    """Return the command to carry out, and its values, for the `words` after the name of `found`."""
    if isinstance(found, CommandGroup):
        if words and words[0] in found.commands:
            return read_quickly(words[1:], found.commands[words[0]])
        if found.default is None:
            return None
        command = found.default
    else:
        command = found
    try:
        return command, _values(words, parameters_of(command))
    except _Unusual:
        return None


def _values(words: Sequence[str], parameters: Sequence[Parameter]) -> dict[str, Any]:
    """Return the values that `words` give to `parameters`."""
    flags = {flag: (parameter, on) for parameter in parameters for flag, on in _flags(parameter)}
    given: dict[str, list[Any]] = {}
    plain: list[str] = []
    left = list(reversed(words))
    while left:
        word = left.pop()
        if word == "--":
            plain += reversed(left)
            break
        if not word.startswith("-"):
            plain.append(word)
            continue
        flag, equals, text = word.partition("=") if word.startswith("--") else (word, "", "")
        if flag not in flags or (equals and not text):
            raise _Unusual
        parameter, on = flags[flag]
        if parameter.kind is bool:
            if equals:
                raise _Unusual
            given.setdefault(parameter.name, []).append(on)
            continue
        if not equals:
            text = left.pop() if left else "-"
            if text.startswith("-"):
                raise _Unusual
        given.setdefault(parameter.name, []).append(_value(parameter, text))
    for parameter in parameters:
        if isinstance(parameter.declared, Argument) and plain:
            taken, plain = (plain, []) if parameter.listed else (plain[:1], plain[1:])
            given[parameter.name] = [_value(parameter, text) for text in taken]
    if plain:
        raise _Unusual
    return {parameter.name: _result(parameter, given.get(parameter.name)) for parameter in parameters}


def _flags(parameter: Parameter) -> list[tuple[str, bool]]:
    if not isinstance(parameter.declared, Option):
        return []
    found = []
    for flag in parameter.flags:
        on, _, off = flag.partition("/")
        found.append((on, True))
        if off:
            found.append((off, False))
    return found


def _value(parameter: Parameter, text: str) -> Any:
    if parameter.kind is str:
        return text
    pattern = _NUMBERS.get(parameter.kind)
    if pattern is None or not pattern.fullmatch(text):
        raise _Unusual
    number = parameter.kind(text)
    if isinstance(parameter.declared, Option):
        low, high = parameter.declared.min, parameter.declared.max
        if (low is not None and number < low) or (high is not None and number > high):
            raise _Unusual
    return number


def _result(parameter: Parameter, values: list[Any] | None) -> Any:
    if values is None:
        if parameter.default is REQUIRED:
            raise _Unusual
        return parameter.default
    return values if parameter.listed else values[-1]

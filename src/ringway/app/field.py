"""Settings as data: the description of each field of the configuration structs.

Flags, environment names, the reference page and `ringway config show` are all derived from here. So a field of a
component's config struct is the only place where a setting is written down.
"""

import typing
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import msgspec
from msgspec import inspect as inspect_types

from ringway.protocol.rule import bare_type, rule_of_type

ENV_PREFIX = "RINGWAY"


@dataclass(frozen=True, slots=True)
class Field:
    """One setting. `type` is its annotation, with the bounds that msgspec checks."""

    section: str
    name: str
    type: Any
    default: Any
    description: str
    unit: str
    flag: str  # its name on a command of its own section, without dashes
    secret: bool
    hide: Callable[[str], str] | None  # makes a value showable, if a part of it is secret
    table: Callable[[Mapping[str, Any]], str] | None  # makes the short form of a table, if TOML may hold a table
    tables: str  # the array of tables in TOML that holds its values, as `[[name]]`; empty: no array
    between: str  # what is between two values in an environment variable; empty: white space
    ge: float | None
    gt: float | None
    le: float | None
    lt: float | None
    pattern: str | None

    @property
    def path(self) -> str:
        """`section.name`, as messages and `config show` write it."""
        return f"{self.section}.{self.name}"

    @property
    def env(self) -> str:
        """The name of its environment variable."""
        return f"{ENV_PREFIX}_{self.section}_{self.name}".upper()

    @property
    def repeated(self) -> bool:
        """True if it holds several values."""
        return typing.get_origin(bare_type(self.type)) in (tuple, list)

    @property
    def switch(self) -> bool:
        """True if it is a switch: on or off."""
        return bare_type(self.type) is bool

    @property
    def rule(self) -> str:
        """The rule for its values, in words: `a number of seconds, above 0, at most 60`."""
        bare = bare_type(self.type)
        if self.repeated:
            return "a list of texts"
        if bare not in (int, float):
            return f"a text that matches {self.pattern}" if self.pattern else rule_of_type(bare)
        words = [f"{rule_of_type(bare)} {_IN_UNIT.get(self.unit, self.unit)}".strip()]
        words += [f"at least {self.ge:g}"] if self.ge is not None else []
        words += [f"above {self.gt:g}"] if self.gt is not None else []
        words += [f"at most {_plain(self.le)}"] if self.le is not None else []
        words += [f"below {_plain(self.lt)}"] if self.lt is not None else []
        return ", ".join(words)

    def of_toml(self, value: Any) -> Any:
        """Return `value` with the short forms of its tables; raise `ConfigError` if a table is wrong."""
        if self.table is None:
            return value
        if isinstance(value, dict):
            return self.table(value)
        if isinstance(value, list):
            return [self.table(item) if isinstance(item, dict) else item for item in value]
        return value

    def split(self, text: str) -> list[str]:
        """Return the values in `text`, an environment variable of several."""
        parts = (part.strip() for part in text.split(self.between)) if self.between else text.split()
        return [part for part in parts if part]

    def join(self, values: Sequence[str]) -> str:
        """Return the environment variable that holds `values`; the inverse of `split`."""
        return f"{self.between} ".join(values)

    def showable(self, value: Any) -> Any:
        """Return `value` without the secrets in it."""
        if self.hide is None or not value:
            return value
        return self.hide(value) if isinstance(value, str) else tuple(map(self.hide, value))

    @property
    def metavar(self) -> str:
        """The placeholder of its value in help texts."""
        bare = bare_type(self.type)
        if typing.get_origin(bare) is typing.Literal:
            return "|".join(typing.get_args(bare))
        if self.unit in _IN_UNIT:
            return _IN_UNIT[self.unit].split()[-1].upper()
        return {int: "NUMBER", float: "NUMBER"}.get(bare, "TEXT")


_IN_UNIT = {"s": "of seconds", "bytes": "of bytes", "1/s": "per second", "%": "of per cent"}


def show_value(value: Any) -> str:
    """Return a setting's value as a person writes it."""
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, (tuple, list)):
        return " ".join(map(str, value)) or "(none)"
    if value is None or value == "":
        return "(none)"
    return _plain(value) if isinstance(value, float) else str(value)


def fields_of(section: str, struct: type[msgspec.Struct]) -> Iterator[Field]:
    """Yield the settings of one section, in the order of its struct."""
    annotations = typing.get_type_hints(struct, include_extras=True)
    info = inspect_types.type_info(struct)
    assert isinstance(info, inspect_types.StructType)
    for field in info.fields:
        bounds: Any = field.type
        schema: dict[str, Any] = {}
        extra: dict[str, Any] = {}
        while isinstance(bounds, (inspect_types.Metadata, inspect_types.UnionType)):
            if isinstance(bounds, inspect_types.UnionType):
                bounds = next(arm for arm in bounds.types if not isinstance(arm, inspect_types.NoneType))
                continue
            schema |= bounds.extra_json_schema or {}
            extra |= bounds.extra or {}
            bounds = bounds.type
        default = field.default if field.default_factory is msgspec.NODEFAULT else field.default_factory()
        yield Field(
            section=section,
            name=field.name,
            type=annotations[field.name],
            default=default,
            description=str(schema.get("description", "")),
            unit=str(extra.get("unit", "")),
            flag=str(extra.get("flag", field.name.replace("_", "-"))),
            secret=bool(extra.get("secret", False)),
            hide=extra.get("hide"),
            table=extra.get("table"),
            tables=str(extra.get("tables", "")),
            between=str(extra.get("between", "")),
            ge=getattr(bounds, "ge", None),
            gt=getattr(bounds, "gt", None),
            le=getattr(bounds, "le", None),
            lt=getattr(bounds, "lt", None),
            pattern=getattr(bounds, "pattern", None),
        )


def _plain(number: float) -> str:
    return str(int(number)) if number == int(number) else f"{number:g}"

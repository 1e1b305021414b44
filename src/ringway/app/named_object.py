"""Objects of operators' modules, by names as `package.module:function`."""

from importlib import import_module
from typing import Any


def object_at(name: str) -> Any:
    """Return what `name` names, behind dots also parts of it; its module is imported, which may raise anything."""
    module, _, path = name.partition(":")
    found: Any = import_module(module)
    for part in path.split("."):
        found = getattr(found, part)
    return found

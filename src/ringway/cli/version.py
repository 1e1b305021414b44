"""`ringway version`: the installed versions."""

import sys
from importlib.metadata import version as version_of
from typing import Annotated

from ringway.cli.command import Option
from ringway.cli.terminal import say, say_json
from ringway.version import VERSION


def version(as_json: Annotated[bool, Option("--json", help="Print JSON, for programs.")] = False) -> None:
    """Show the versions of Ringway, of Python, and of its main libraries."""
    versions = {"ringway": VERSION, "python": sys.version.split()[0]}
    versions |= {name: version_of(name) for name in ("picows", "uvloop")}
    if as_json:
        say_json(versions)
    else:
        say("ringway " + versions["ringway"])
        say("  " + ", ".join(f"{name} {found}" for name, found in versions.items() if name != "ringway"))

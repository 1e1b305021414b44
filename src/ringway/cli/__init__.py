"""The command line: `ringway COMMAND`. One file a command."""

from ringway.cli.entry import main

__all__ = ["main"]

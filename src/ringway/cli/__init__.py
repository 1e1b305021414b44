"""The command line: `ringway COMMAND`. One file a command."""

from ringway.cli.main import main

__all__ = ["main"]

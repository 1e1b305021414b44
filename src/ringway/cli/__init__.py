"""The command line: `ringway COMMAND`, one file for each command."""

from ringway.cli.entry import main

__all__ = ["main"]

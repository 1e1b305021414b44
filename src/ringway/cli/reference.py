"""Generator of the reference pages: `python -m ringway.cli.reference [--check] [DIRECTORY]`."""

import inspect
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import typer.main

from ringway.app.reference import MADE, codes, configuration, metrics
from ringway.cli.main import build

_CLI = """\
# Commands

{made}
`ringway COMMAND --help` shows the same on the terminal, with all settings. Exit codes: 0 done; 1 failed; 2 a setting is
wrong or a needed part is missing, and one line on stderr says what to do; 130 ended by Ctrl-C; 141 the reader of the
output is gone; 143 ended by SIGTERM. Processes that run until they are stopped (`up`, `gateway`, `node`, `join`) end in
order at the first Ctrl-C or SIGTERM, with 0 ([signals](../howto/run-processes.md#signals)). Terminal controls in the
output are shown as `\\x1b` and the like; with `--json` they are JSON's own escapes.
"""

_PANEL = "Settings: "


def commands() -> str:
    """Return docs/reference/cli.md."""
    root: Any = typer.main.get_command(build())
    lines = [_CLI.format(made=MADE)]
    for name, command in root.commands.items():
        if hasattr(command, "commands"):
            if command.invoke_without_command:
                lines += _command(name, command)
            for inner_name, inner in command.commands.items():
                lines += _command(f"{name} {inner_name}", inner)
        else:
            lines += _command(name, command)
    return "\n".join(lines)


def pages() -> Iterator[tuple[str, str]]:
    """Yield the name and the text of each page."""
    yield "configuration.md", configuration()
    yield "metrics.md", metrics()
    yield "close-codes.md", codes()
    yield "cli.md", commands()


def main(arguments: list[str]) -> int:
    """Write the pages. With `--check`, only report outdated pages, and return 1 if there are any."""
    folder = Path(next((word for word in arguments if not word.startswith("-")), "docs/reference"))
    stale = [(name, text) for name, text in pages() if not _is(folder / name, text)]
    if "--check" in arguments:
        for name, _ in stale:
            sys.stderr.write(f"{folder / name} is out of date; run `python -m ringway.cli.reference`\n")
        return 1 if stale else 0
    folder.mkdir(parents=True, exist_ok=True)
    for name, text in stale:
        (folder / name).write_text(text)
    return 0


def _is(path: Path, text: str) -> bool:
    return path.exists() and path.read_text() == text


def _command(name: str, command: Any) -> list[str]:
    own = [param for param in command.params if not _panel(param).startswith(_PANEL) and param.name != "help"]
    words = [param.metavar for param in own if param.param_type_name == "argument"]
    lines = [f"## ringway {name}\n", f"`{' '.join(['ringway', name, *words, '[OPTIONS]'])}`\n"]
    lines += [inspect.cleandoc(command.help or ""), ""]
    if own:
        lines += ["| option | what it does |", "|---|---|"]
        lines += [f"| {_spelling(param)} | {_cell(param)} |" for param in own]
        lines.append("")
    sections: dict[str, list[str]] = {}
    for param in command.params:
        if _panel(param).startswith(_PANEL):
            sections.setdefault(_panel(param).removeprefix(_PANEL), []).append(f"`{param.opts[0]}`")
    if sections:
        lines.append("Settings as options:\n")
        lines += [f"- [{name}](configuration.md#{name}): {', '.join(flags)}" for name, flags in sections.items()]
        lines.append("")
    return lines


def _panel(param: Any) -> str:
    return getattr(param, "rich_help_panel", None) or ""


def _spelling(param: Any) -> str:
    if param.param_type_name == "argument":
        return f"`{param.metavar}`"
    names = ", ".join(f"`{name}`" for name in (*param.opts, *param.secondary_opts))
    return f"{names} {param.metavar or ''}".rstrip()


def _cell(param: Any) -> str:
    default = param.default
    said = "" if default in (None, False, True, (), "") or param.required else f" Default: {default}."
    return (param.help or "").replace("|", "\\|") + said


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))

"""The table of `docs/reference/backend-moves.md`: what each client sees, from runs of all events, with the versions."""

import importlib.metadata
import json
import re
import shutil
import subprocess
from collections.abc import Iterable, Sequence
from pathlib import Path

from integration.own_servers.record import Row, lost, silence_s, told
from integration.own_servers.seen import Seen
from integration.own_servers.stack import STACKS, Stack
from integration.own_servers.toolchain import APPS, HERE

PAGE = Path(__file__).parents[3] / "docs" / "reference" / "backend-moves.md"
BEGIN = "<!-- own servers: made by `scripts/test-own-servers --docs` -->"
END = "<!-- own servers: end -->"

TITLES = {
    "fastapi-uvicorn": ("FastAPI on uvicorn", "uvicorn", "websockets"),
    "fastapi-hypercorn": ("FastAPI on hypercorn", "hypercorn", "websockets"),
    "fastapi-granian": ("FastAPI on granian", "granian", "websockets"),
    "channels-daphne": ("Channels on daphne", "channels", "websockets"),
    "python-socketio": ("python-socketio", "python-socketio", "python-socketio"),
    "socketio": ("Socket.IO", "socket.io", "socket.io-client"),
    "graphql-ws": ("graphql-ws", "graphql-ws", "graphql-ws"),
    "trpc": ("tRPC", "@trpc/server", "@trpc/client"),
    "hocuspocus": ("Hocuspocus", "@hocuspocus/server", "@hocuspocus/provider"),
    "go": ("Go", "github.com/coder/websocket", "websockets"),
    "spring": ("Spring Boot", "spring-boot-starter-parent", "websockets"),
}
"""By stack, the server's title, and the packages of server and client whose versions are told."""

COLUMNS = (
    ("`auto`: a fourth server, its share moves there", "scale-out"),
    ("`auto`: its server is drained", "drain"),
    ("`auto`: `kill -9` of its server", "kill"),
    ("`auto`: `kill -9` of its gateway", "kill-gateway"),
    ("`close`: `kill -9`", "kill-close"),
    ("`reopen`: `kill -9`", "kill-reopen"),
)
"""The columns of the page, and the event that each shows."""

EVENTS = tuple(event for _, event in COLUMNS)

AS_AUTO = "as `auto`"
"""The cell of a plain server at `kill-reopen`: `auto` reopens its connections."""


def events_of(stack: Stack) -> tuple[str, ...]:
    """Return the events that are run for the line of a stack."""
    return tuple(event for event in EVENTS if not (stack.is_plain and event == "kill-reopen"))


def write_page(rows: Iterable[Row]) -> None:
    """Replace the rows of the stacks that `rows` are of, and the note of versions."""
    PAGE.write_text(page_with(PAGE.read_text(), rows, versions()))


def page_with(page: str, rows: Iterable[Row], note: str) -> str:
    """Return `page` with `rows` in its table; the lines of other stacks stay as they are. `note` stands below it."""
    before, _, rest = page.partition(BEGIN)
    old, _, after = rest.partition(END)
    lines = {line.split("|")[1].strip(): line for line in old.splitlines() if line.startswith("| ")}
    by_stack: dict[str, dict[str, Row]] = {}
    for row in rows:
        by_stack.setdefault(row.stack.name, {})[row.event] = row
    for name, each in by_stack.items():
        title = title_of(STACKS[name])
        lines[title] = line_of(STACKS[name], lines.get(title, ""), each)
    heads = ["server and its client", *(title for title, _ in COLUMNS)]
    body = [lines[title_of(stack)] for stack in STACKS.values() if title_of(stack) in lines]
    made = "\n".join([_line(heads), "|" + "---|" * len(heads), *body])
    return f"{before}{BEGIN}\n\n{made}\n\n{note}\n\n{END}{after}"


def title_of(stack: Stack) -> str:
    """Return what the table calls a stack."""
    return TITLES[stack.name][0]


def line_of(stack: Stack, old: str, rows: dict[str, Row]) -> str:
    """Return the line of one stack; cells of events that are not in `rows` are those of the `old` line."""
    cells = [cell.strip() for cell in old.split("|")[2:-1]] or [""] * len(EVENTS)
    for number, event in enumerate(EVENTS):
        if event in rows:
            cells[number] = cell_of(rows[event].seen)
        elif event not in events_of(stack):
            cells[number] = AS_AUTO
    return _line([title_of(stack), *cells])


def cell_of(several: Sequence[Seen]) -> str:
    """Return what clients saw at an event, worst of all."""
    unserved = sum(seen.waiting > 0 or seen.acked == 0 for seen in several)
    words = [f"{len(several)}: {told(several)}" if told(several) != "-" else f"{len(several)}: nothing"]
    words.append(f"silent {silence_s(several):.1f} s")
    words.append(f"lost {lost(several)}")
    if unserved:
        words.append(f"**{unserved} not served again**")
    return "; ".join(words)


def versions() -> str:
    """Return the note of versions."""
    said = {package: version_of(package) for _, *packages in TITLES.values() for package in packages}
    listed = ", ".join(f"{package} {version}" for package, version in said.items())
    return f"Versions: {listed}; {_first_line('node', '--version')}, {_first_line('go', 'version')}, Java 17."


def version_of(package: str) -> str:
    """Return the version of a package that the runs used."""
    locked = json.loads((HERE / "package-lock.json").read_text())["packages"]
    if f"node_modules/{package}" in locked:
        return str(locked[f"node_modules/{package}"]["version"])
    if "/" in package:
        return _found(rf"{re.escape(package)} v(\S+)", APPS / "go" / "go.mod")
    if package == "spring-boot-starter-parent":
        return _found(rf"{package}</artifactId>\s*<version>(\S+)</version>", APPS / "spring" / "pom.xml")
    return importlib.metadata.version(package)


def _found(pattern: str, file: Path) -> str:
    found = re.search(pattern, file.read_text())
    assert found is not None, f"{pattern} is not in {file}"
    return found[1]


def _first_line(program: str, argument: str) -> str:
    if shutil.which(program) is None:
        return f"no {program}"
    said = subprocess.run([program, argument], capture_output=True, text=True, check=True).stdout.split("\n")[0]
    return f"Node.js {said}" if program == "node" else " ".join(said.split()[2:3]).replace("go", "Go ")


def _line(cells: Iterable[str]) -> str:
    return f"| {' | '.join(cells)} |"

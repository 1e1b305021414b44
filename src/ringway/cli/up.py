"""`ringway up`: a whole system on this machine, with one command."""

import sys
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING

from ringway.admin.member import Cluster
from ringway.app.config import Layer, Loaded, load_config
from ringway.app.log import stream_descriptor
from ringway.app.log_writer import LogWriter
from ringway.app.state import Running, open_private, state_dir
from ringway.app.visible import visible
from ringway.cli.counted import counted
from ringway.cli.option import ConfigFile, StateDir, takes_settings
from ringway.cli.process import run_process

if TYPE_CHECKING:
    from ringway.app.up import Show, Tell

PAGE_WIDE = 80
"""Columns of what is shown at the start, where there is no terminal."""

SCREEN_BYTES_MAX = 1 << 20
"""How much may wait for the terminal; beyond it lines are lost, and it is told how many."""

SNIPPET = """\
ws = new WebSocket(`ws://${location.host}/connection/websocket`)
ws.onmessage = (m) => m.data === "{}" ? ws.send("{}") : console.log(m.data)
ws.onopen = () => { for (const command of [
  {id: 1, connect: {}},
  {id: 2, subscribe: {channel: "room"}},
  {id: 3, publish: {channel: "room", data: "hello"}},
]) ws.send(JSON.stringify(command)) }"""


@takes_settings(
    "up",
    "engine",
    "log",
    own=("up", "gateway"),
    only=("gateway.host", "gateway.port", "gateway.policy", "gateway.pages", "admin.port"),
)
def up(flags: Layer, config_file: ConfigFile = None, state: StateDir = None) -> None:
    """Start NATS, a gateway and nodes as separate processes, and keep them running until Ctrl-C.

    Everything listens on this machine only. All other settings of gateway and nodes come from a file or the
    environment; `ringway config show` lists them. The other commands find the system by its state directory.
    """
    loaded = load_config(flags=flags, file=config_file)
    directory = state_dir(state)
    option = f" --state {directory}" if state else ""
    log = open_private(directory, "up.log")
    # The terminal may be stopped (Ctrl-S), or a pipe that nobody reads: what runs must not wait for it.
    screen = LogWriter(
        stream_descriptor(sys.stdout),
        SCREEN_BYTES_MAX,
        lambda count: f"{counted(count, 'line')} {'was' if count == 1 else 'were'} lost here",
        encoding=getattr(sys.stdout, "encoding", "utf-8"),
        errors=getattr(sys.stdout, "errors", "replace"),
    )

    def show(running: Running, cluster: Cluster) -> None:
        screen.write(_page(running, cluster, option, has_pages=bool(loaded.config.gateway.pages)))

    def tell(line: str) -> None:
        screen.write(f"{datetime.now().astimezone():%H:%M:%S} {visible(line)}")

    try:
        run_process(loaded, lambda _: _run(loaded, directory, config_file, show, tell), log)
    finally:
        screen.close(loaded.config.log.flush_s)


async def _run(loaded: Loaded, directory: Path, config_file: str | None, show: "Show", tell: "Tell") -> int:
    from ringway.app.up import run_up

    return await run_up(loaded, directory, config_file, show=show, tell=tell)


def _page(running: Running, cluster: Cluster, option: str, *, has_pages: bool) -> str:
    """Return what runs and what to try. Without frames at the sides: the middle is there to be copied."""
    from rich.rule import Rule
    from rich.table import Table
    from rich.text import Text

    from ringway.cli.table import make_console

    console = make_console(PAGE_WIDE)
    facts = Table.grid(padding=(0, 2))
    facts.add_row("Gateway", Text(running.gateway_url, "bold"))
    if has_pages:
        facts.add_row("Page", Text(f"{running.gateway_url}/", "bold"))
    facts.add_row("Nodes", "\n".join(f"{node.name}  {node.url}" for node in cluster.nodes) or "none yet")
    facts.add_row("Metrics", f"{running.admin_url}/metrics")
    facts.add_row("Logs", running.logs)
    hints = Table.grid(padding=(0, 2))
    for command, what in (
        ("ringway node", "add a node: it gets its share of the connections"),
        ("ringway top", "watch the nodes"),
        ("ringway sub room", "print what is published to the channel"),
        ("ringway pub room '\"hi\"'", "publish to it"),
        ("ringway drain node-1", "empty a node"),
    ):
        hints.add_row(Text(command + option, "bold"), what)
    with console.capture() as captured:
        console.print(Rule("Ringway is up", style="green"))
        console.print(facts, soft_wrap=True)
        if not has_pages:
            url = f"{running.gateway_url}/healthz"
            console.print(
                f"\nTry it in a browser: open {url}, press F12, and paste into the console:\n", soft_wrap=True
            )
            console.print(Text(SNIPPET, "cyan"), soft_wrap=True)
        console.print("\nIn other terminals:\n")
        console.print(hints, soft_wrap=True)
        console.print(Rule("Ctrl-C stops everything", style="green"))
    return captured.get().rstrip("\n")

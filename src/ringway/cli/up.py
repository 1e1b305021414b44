"""`ringway up`: a whole system on this machine, with one command."""

from datetime import datetime

import typer

from ringway.admin.member import Cluster
from ringway.app.config import Layer, load_config
from ringway.app.log import configure_log
from ringway.app.state import Running, prepare, state_dir
from ringway.cli.option import ConfigFile, StateDir, takes_settings
from ringway.cli.process import run_async

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
    prepare(directory)
    with (directory / "up.log").open("w") as log:
        configure_log(loaded.config.log, log)
        from ringway.app.up import run_up

        def show(running: Running, cluster: Cluster) -> None:
            _show(
                running, cluster, f" --state {directory}" if state else "", has_pages=bool(loaded.config.gateway.pages)
            )

        code = run_async(run_up(loaded, directory, config_file, show=show, tell=_tell))
    raise typer.Exit(code)


def _tell(line: str) -> None:
    typer.echo(f"{datetime.now().astimezone():%H:%M:%S} {line}")


def _show(running: Running, cluster: Cluster, option: str, *, has_pages: bool) -> None:
    """Print what runs and what to try. Without frames at the sides: the middle is there to be copied."""
    from rich.console import Console
    from rich.rule import Rule
    from rich.table import Table
    from rich.text import Text

    console = Console(highlight=False)
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
    console.print(Rule("Ringway is up", style="green"))
    console.print(facts, soft_wrap=True)
    if not has_pages:
        page = f"{running.gateway_url}/healthz"
        console.print(f"\nTry it in a browser: open {page}, press F12, and paste into the console:\n", soft_wrap=True)
        console.print(Text(SNIPPET, "cyan"), soft_wrap=True)
    console.print("\nIn other terminals:\n")
    console.print(hints, soft_wrap=True)
    console.print(Rule("Ctrl-C stops everything", style="green"))


def register(app: typer.Typer) -> None:
    """Add the command to `app`."""
    app.command()(up)

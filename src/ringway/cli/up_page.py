"""The first page of `ringway up`: what runs, and what to try.

It has no frames at the sides, so that it can be copied.
"""

from ringway.admin.member import Cluster
from ringway.app.state import Running

PAGE_WIDE = 80
"""Columns of the page if there is no terminal."""

CHANNEL_SNIPPET = """\
ws = new WebSocket(`ws://${location.host}/connection/websocket`)
ws.onmessage = (m) => m.data === "{}" ? ws.send("{}") : console.log(m.data)
ws.onopen = () => { for (const command of [
  {id: 1, connect: {}},
  {id: 2, subscribe: {channel: "room"}},
  {id: 3, publish: {channel: "room", data: "hello"}},
]) ws.send(JSON.stringify(command)) }"""

BACKEND_SNIPPET = """\
ws = new WebSocket(`ws://${location.host}/`)  // and the path that your server expects
ws.onmessage = (m) => console.log(m.data)
ws.onclose = (e) => console.log("closed", e.code, e.reason)"""


def first_page(running: Running, cluster: Cluster, option: str, *, has_backends: bool, has_pages: bool) -> str:
    """Return the page for the system `running`. `option` names its state directory in commands, if one was given.

    `has_backends`: its nodes are servers without channels; `has_pages`: the gateway serves files.
    """
    from rich.rule import Rule
    from rich.table import Table
    from rich.text import Text

    from ringway.cli.table import make_console

    console = make_console(PAGE_WIDE)
    facts = Table.grid(padding=(0, 2))
    facts.add_row("Gateway", Text(running.gateway_url, "bold"))
    if has_pages:
        facts.add_row("Page", Text(f"{running.gateway_url}/", "bold"))
    what = "Backends" if has_backends else "Nodes"
    facts.add_row(what, "\n".join(f"{node.name}  {node.url}" for node in cluster.nodes) or "none yet")
    if has_backends and running.registration_url:
        facts.add_row("Registration", running.registration_url)
    facts.add_row("Metrics", f"{running.admin_url}/metrics")
    facts.add_row("Logs", running.logs)
    hints = Table.grid(padding=(0, 2))
    for command, effect in _backend_hints(cluster) if has_backends else _CHANNEL_HINTS:
        hints.add_row(Text(command + option, "bold"), effect)
    with console.capture() as captured:
        console.print(Rule("Ringway is up", style="green"))
        console.print(facts, soft_wrap=True)
        if has_backends:
            url = running.gateway_url.replace("http", "ws", 1)
            console.print(f"\nClients connect to {url} and the path that your server expects.", soft_wrap=True)
        if not has_pages:
            url = f"{running.gateway_url}/healthz"
            console.print(
                f"\nTry it in a browser: open {url}, press F12, and paste into the console:\n", soft_wrap=True
            )
            console.print(Text(BACKEND_SNIPPET if has_backends else CHANNEL_SNIPPET, "cyan"), soft_wrap=True)
        console.print("\nIn other terminals:\n")
        console.print(hints, soft_wrap=True)
        console.print(Rule("Ctrl-C stops everything", style="green"))
    return captured.get().rstrip("\n")


_CHANNEL_HINTS = (
    ("ringway node", "add a node: it gets its share of the connections"),
    ("ringway top", "watch the nodes"),
    ("ringway sub room", "print what is published to the channel"),
    ("ringway pub room '\"hi\"'", "publish to it"),
    ("ringway drain node-1", "empty a node"),
)


def _backend_hints(cluster: Cluster) -> list[tuple[str, str]]:
    name = cluster.nodes[0].name if cluster.nodes else "NAME"
    return [
        ("ringway join ws://127.0.0.1:PORT", "add a server: it gets its share of the connections"),
        ("ringway nodes", "list the backends and their connections"),
        ("ringway top", "watch the backends"),
        (f"ringway drain {name}", "empty a backend: its clients go to the others"),
        (f"ringway undrain {name}", "let it take clients again"),
        ("ringway moves", "what was moved, and why"),
    ]

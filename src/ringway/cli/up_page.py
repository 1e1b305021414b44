"""The first page of `ringway up`: what runs, and what to try.

It has no frames at the sides, so that it can be copied.
"""

from collections.abc import Sequence
from urllib.parse import urlsplit

from ringway.admin.member import Cluster
from ringway.app.state import Running
from ringway.core.route import GroupRoute
from ringway.protocol.group import CHANNELS, DEFAULT

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
ws = new WebSocket(`URL`)  // and the path that your server expects
ws.onmessage = (m) => console.log(m.data)
ws.onclose = (e) => console.log("closed", e.code, e.reason)"""

HERE = "ws://${location.host}"


def first_page(
    running: Running,
    cluster: Cluster,
    option: str,
    *,
    has_backends: bool,
    has_pages: bool,
    routes: Sequence[GroupRoute] = (),
) -> str:
    """Return the page for the system `running`. `option` names its state directory in commands, if one was given.

    `has_backends`: its nodes are servers without channels; `has_pages`: the gateway serves files; `routes` are those of
    the gateway.
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
    if routes:
        facts.add_row("Routes", "\n".join(_lines_of(routes, running.gateway_url, cluster)))
    if has_backends and running.registration_url:
        facts.add_row("Registration", running.registration_url)
    if not has_backends:
        facts.add_row("Rights", _OPEN if running.insecure else _CHECKED)
    facts.add_row("Metrics", f"{running.admin_url}/metrics")
    facts.add_row("Logs", running.logs)
    channel_hints = _CHANNEL_HINTS if running.insecure else _CHECKED_HINTS
    hints = _backend_hints(cluster, routes) if has_backends else channel_hints
    column = max(len(command) for command, _ in hints) + len(option)
    with console.capture() as captured:
        console.print(Rule("Ringway is up", style="green"))
        console.print(facts, soft_wrap=True)
        if has_backends:
            url = running.gateway_url.replace("http", "ws", 1)
            where = "by the routes: to their URLs" if routes else f"to {url}"
            console.print(f"\nClients connect {where} and the path that your server expects.", soft_wrap=True)
        if not has_pages and (has_backends or running.insecure):
            url = f"{running.gateway_url}/healthz"
            console.print(
                f"\nTry it in a browser: open {url}, press F12, and paste into the console:\n", soft_wrap=True
            )
            snippet = _backend_snippet(routes, running.gateway_url) if has_backends else CHANNEL_SNIPPET
            console.print(Text(snippet, "cyan"), soft_wrap=True)
        console.print("\nIn other terminals:\n")
        for command, effect in hints:  # a command is never cut into lines, because it is copied
            console.print(Text.assemble(((command + option).ljust(column), "bold"), "  ", effect), soft_wrap=True)
        console.print(Rule("Ctrl-C stops everything", style="green"))
    return captured.get().rstrip("\n")


_OPEN = "none are checked (insecure): on this machine, everybody may do everything"
_CHECKED = "checked: a token (ringway token make) or a hook says who a client is, and namespaces what it may do"

_CHANNEL_HINTS = (
    ("ringway node", "add a node: it gets its share of the connections"),
    ("ringway top", "watch the nodes"),
    ("ringway sub room", "print what is published to the channel"),
    ("ringway pub room '\"hi\"'", "publish to it"),
    ("ringway drain node-1", "empty a node"),
)

_CHECKED_HINTS = (
    *_CHANNEL_HINTS[:2],
    ("ringway sub --token TOKEN CHANNEL", "print what is published to the channel"),
    ("ringway pub --token TOKEN CHANNEL DATA", "publish to it"),
    _CHANNEL_HINTS[-1],
)


def _backend_hints(cluster: Cluster, routes: Sequence[GroupRoute]) -> Sequence[tuple[str, str]]:
    name = cluster.nodes[0].name if cluster.nodes else "NAME"
    group = next((f" --group {route.group}" for route in routes if route.group not in (CHANNELS, DEFAULT)), "")
    return [
        (f"ringway join ws://127.0.0.1:PORT{group}", "add a server: it gets its share of the connections"),
        ("ringway nodes", "list the backends and their connections"),
        ("ringway top", "watch the backends"),
        (f"ringway drain {name}", "empty a backend: its clients go to the others"),
        (f"ringway undrain {name}", "let it take clients again"),
        ("ringway moves", "what was moved, and why"),
    ]


def _lines_of(routes: Sequence[GroupRoute], gateway_url: str, cluster: Cluster) -> list[str]:
    """Return for each route its URL, its group, and the nodes of the group."""
    lines = []
    for route in routes:
        members = ", ".join(node.name for node in cluster.nodes if node.group == route.group)
        lines.append(f"{_url_of(route, gateway_url)}  group {route.group}: {members or 'none yet'}")
    return lines


def _url_of(route: GroupRoute, gateway_url: str) -> str:
    """Return the URL of a route, at the name that the route is for."""
    place = urlsplit(gateway_url)
    port = f":{place.port}" if place.port else ""
    return f"ws://{f'{route.host}{port}' if route.host else place.netloc}{route.path}"


def _backend_snippet(routes: Sequence[GroupRoute], gateway_url: str) -> str:
    """Return the lines for a browser, with a URL that leads somewhere: that of a route, if there are routes."""
    to_backends = [route for route in routes if route.group != CHANNELS]
    route = next((route for route in to_backends if not route.host), None)
    if route is not None:
        return BACKEND_SNIPPET.replace("URL", f"{HERE}{route.path}")
    if not to_backends:
        return BACKEND_SNIPPET.replace("URL", f"{HERE}/")
    url = _url_of(to_backends[0], gateway_url).replace("*", "any", 1)
    return f"// {urlsplit(url).hostname} must lead to this machine\n{BACKEND_SNIPPET.replace('URL', url)}"

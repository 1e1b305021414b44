"""`ringway explain`: the node to which a client would be sent now, and why."""

from typing import TYPE_CHECKING, Annotated

from ringway.cli.command import Exit, Option
from ringway.cli.option import AsJson, SystemChoice, finds_system
from ringway.cli.process import run_async
from ringway.cli.steer import Gateways, gateways
from ringway.cli.terminal import say_json
from ringway.errors import ConfigError
from ringway.protocol.control import Candidate, Explain, Explanation
from ringway.types import NodeName

if TYPE_CHECKING:
    from rich.console import RenderableType


@finds_system
def explain(
    system: SystemChoice,
    key: Annotated[
        str,
        Option(
            "--key",
            metavar="KEY",
            help="The client's key, as the policy reads it. Without: the key in --path and --host, if there is one.",
        ),
    ] = "",
    path: Annotated[
        str, Option("--path", metavar="PATH", help="The path on which the client comes, for the gateway's routes.")
    ] = "",
    host: Annotated[str, Option("--host", metavar="HOST", help="The host that it names, likewise.")] = "",
    group: Annotated[str, Option("--group", metavar="NAME", help="Place it in this group, whatever its path.")] = "",
    gateway: Annotated[
        str, Option("--gateway", metavar="NAME", help="Ask this one. Without: the first that answers.")
    ] = "",
    as_json: AsJson = False,
) -> None:
    """Show the node to which a client would be sent if it came now, and why: each node, with the numbers that decide.

    Asking changes nothing. A policy that draws at random draws anew each time.
    """

    async def ask() -> Explanation:
        async with gateways(system) as found:
            await found.need_group(group)
            question = Explain(key=key, group=group, host=host, path=path)
            answer = await (found.ask(_known(found, gateway), question) if gateway else found.ask_any(question))
            assert isinstance(answer, Explanation)
            return answer

    said = run_async(ask())
    if as_json:
        say_json(said)
    else:
        show_explanation(said)
    if said.problem:
        raise Exit(1)


def _known(found: Gateways, wanted: str) -> NodeName:
    if wanted not in found.names:
        raise ConfigError(f"there is no gateway {wanted!r}; there are {', '.join(found.names)}")
    return NodeName(wanted)


def show_explanation(said: Explanation) -> None:
    """Print the chosen node, and the numbers of every node."""
    from rich.text import Text

    from ringway.cli.table import make_console, words

    console = make_console()
    who = f"A client with the key {said.key!r}" if said.key else "A client without a key"
    if len(said.groups) > 1:
        who += f", in the group {said.group},"
    if said.problem:
        console.print(words(f"{who} cannot be placed: {said.problem}.", "red"))
    else:
        console.print(Text.assemble(f"{who} goes to ", words(said.chosen, "bold green"), "."))
    console.print(words(f"{said.gateway} places by {said.policy}: {said.rule}.", "dim"))
    if said.note:
        console.print(words(f"Note: {said.note}.", "yellow"))
    if said.candidates:
        console.print()
        console.print(_table(said))


def _table(said: Explanation) -> "RenderableType":
    from rich.table import Table

    from ringway.cli.table import words

    parts = [part for part in _PARTS if any(getattr(each, part) for each in said.candidates)]
    weighted = any(each.weight != 1 or each.trim != 1 for each in said.candidates)
    numbers = [said.measure, "load", *(_PARTS[part] for part in parts), *(["weight"] if weighted else [])]
    table = Table(box=None, pad_edge=False, header_style="dim")
    for name in ("", "node", *numbers, "why"):
        table.add_column(name, justify="right" if name in numbers else "left", overflow="fold")
    for each in said.candidates:
        chosen = each.node == said.chosen
        table.add_row(
            "▶" if chosen else "",
            words(each.node, "bold" if chosen else ""),
            _value(each),
            f"{each.load:,}",
            *(f"{getattr(each, part):,}" for part in parts),
            *([_weight(each)] if weighted else []),
            words(_why(said, each), "" if each.eligible else "yellow"),
            style="green" if chosen else "" if each.compared else "dim",
        )
    return table


_PARTS = {
    "connections": "= connected",
    "pending": "+ opening",
    "held_here": "+ held here",
    "held_elsewhere": "+ held elsewhere",
}
"""The parts of a load. Parts that are zero everywhere are not shown."""


def _value(each: Candidate) -> str:
    if each.value is None:
        return "-"
    return f"{each.value:,.4g}" if abs(each.value) < 1000 else f"{each.value:,.0f}"


def _weight(each: Candidate) -> str:
    return f"{each.weight:g}" if each.trim == 1 else f"{each.weight:g} x {each.trim:.2f}"


def _why(said: Explanation, each: Candidate) -> str:
    """Return the state of this node that a reader needs first."""
    if each.node == said.chosen:
        role = "chosen"
    elif each.node in said.alternates:
        role = "asked next, should that fail" if each.node == said.alternates[0] else "asked after that"
    elif each.why_not:
        role = ""
    else:
        role = "" if each.compared else "not compared"
    return "; ".join(part for part in (role, each.why_not, each.note) if part)

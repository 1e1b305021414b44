"""`ringway policy`: the policy that gateways follow, the known policies, and the change of policy while they run."""

import re
import sys
from collections.abc import Collection, Sequence
from typing import Annotated, Any

from ringway.app.field import Field, fields_of, show_value
from ringway.cli.command import Argument, CommandGroup, Option
from ringway.cli.option import AsJson, OneGroup, SystemChoice, finds_system
from ringway.cli.process import run_async
from ringway.cli.steer import gateways, newest_of
from ringway.cli.terminal import say, say_json
from ringway.core.placement.catalog import POLICIES
from ringway.core.placement.spec import DEFAULT_POLICY, PolicySpec, parse_spec, read_options
from ringway.core.steering import Steering
from ringway.protocol.control import DirectiveAnswer, GroupPolicy

Move = Annotated[bool, Option("--move", help="Also move the connections that it places elsewhere, at the usual pace.")]


@finds_system
def show(
    system: SystemChoice,
    as_json: AsJson = False,
) -> None:
    """Show the policy that each gateway follows, and the decisions of operators while it ran.

    If there are several groups, each has a row. A decision has a version and applies to all gateways; version 0 is each
    gateway's own setting. A decision lasts as long as a gateway that knows it runs.
    """

    async def ask() -> list[DirectiveAnswer]:
        async with gateways(system) as found:
            return await found.followed()

    answers = run_async(ask())
    if as_json:
        say_json(answers)
    else:
        show_policy(answers)


@finds_system
def change(
    system: SystemChoice,
    spec: Annotated[str, Argument(metavar="SPEC", help="The policy, with options: two-choices:d=3.")],
    move: Move = False,
    group: OneGroup = "",
    as_json: AsJson = False,
) -> None:
    """Make all gateways follow a new policy from now on, without a restart.

    Newcomers are placed by it at once. Connections stay where they are unless --move is given. The command returns when
    all gateways follow; later gateways follow too. What is set for all groups ends what was set for single ones.
    `ringway policy list` shows the policies.
    """
    _decide(system, str(_checked(spec)), moving=move, group=group, as_json=as_json)


@finds_system
def reset(
    system: SystemChoice,
    move: Move = False,
    group: OneGroup = "",
    as_json: AsJson = False,
) -> None:
    """Let each gateway follow the policy of its own settings again."""
    _decide(system, "", moving=move, group=group, as_json=as_json)


def list_policies(as_json: AsJson = False) -> None:
    """List the policies, their ways to choose a node, and their options."""
    if as_json:
        say_json([_as_json(name) for name in POLICIES])
        return
    from rich.table import Table

    from ringway.cli.table import make_console, words

    table = Table(box=None, pad_edge=False, header_style="dim")
    table.add_column("policy", no_wrap=True)
    table.add_column("option", no_wrap=True)
    table.add_column("what it does")
    for name in POLICIES:
        table.add_row(words(name, "bold"), "", _summary(name))
        for option in _options(name):
            shown = f"{option.name}={show_value(option.default)}" if option.default != "" else f"{option.name}=..."
            rule = f" ({option.rule})" if option.rule != "a text" else ""
            table.add_row("", shown, words(option.description + rule, "dim"))
    console = make_console()
    console.print(table)
    console.print("\nGive options after a colon: ringway policy set two-choices:d=3", highlight=False)


def _decide(
    system: SystemChoice,
    policy: str,
    *,
    moving: bool,
    group: str,
    as_json: bool,
) -> None:
    async def decide() -> list[DirectiveAnswer]:
        async with gateways(system) as found:
            return await found.decide(lambda newest: newest.with_policy(policy, moving=moving, group=group), group)

    answers = run_async(decide())
    if as_json:
        say_json(answers)
        return
    show_policy(answers, is_new=True)
    if moving:
        say("Connections that it places elsewhere are moved, at the usual pace: `ringway moves` shows them.")


def show_policy(answers: Sequence[DirectiveAnswer], *, is_new: bool = False) -> None:
    """Print the policy in force at each gateway; `is_new` if it was set just now."""
    from rich.table import Table
    from rich.text import Text

    from ringway.cli.table import make_console, words

    console = make_console()
    newest = newest_of(answers)
    table = Table(box=None, pad_edge=False, header_style="dim")
    names = sorted({each.group for answer in answers for each in answer.groups})
    grouped = len(names) > 1
    for name in ("gateway", *(["group"] if grouped else []), "policy", "version", "its own setting"):
        table.add_column(name, overflow="fold")
    for answer in answers:
        behind = newest.newer_than(answer.directive)
        version = words(f"{answer.directive.version}, not {newest.version}" if behind else f"{newest.version}")
        version.stylize("red" if behind else "")
        for row in answer.groups or (answer,):
            group = [row.group if isinstance(row, GroupPolicy) else ""] if grouped else []
            table.add_row(words(answer.gateway, "bold"), *group, row.policy, version, words(row.configured, "dim"))
    console.print(table)
    for answer in answers:
        if answer.problem:
            console.print(words(f"{answer.gateway}: {answer.problem}", "red"))
    decided = {name: newest.of(name) for name in names} or {"": newest}
    staying = [name for name, each in decided.items() if not each.moving]
    if staying:
        whose, option = _limited(staying, decided)
        begin = (
            f"Newcomers{whose} are placed by it. Nobody is moved"
            if is_new
            else f"It was set without --move: connections{whose} stay where they are"
        )
        console.print(Text(f"{begin}; `ringway rebalance{option}` moves those that it places elsewhere."))
    for why in dict.fromkeys(each.frozen for each in decided.values() if each.frozen):
        whose, option = _limited([name for name, each in decided.items() if each.frozen == why], decided)
        console.print(words(f"Moves{whose} are frozen: {why}. `ringway unfreeze{option}` lets them go on.", "yellow"))


def _limited(names: Sequence[str], of: Collection[str]) -> tuple[str, str]:
    """Return whose clients are meant by `names`, and the option of a command for them; empty if they are all `of`."""
    if len(names) == len(of):
        return "", ""
    listed = ", ".join(names)
    return (
        f" of {'group' if len(names) == 1 else 'groups'} {listed}",
        f" --group {names[0] if len(names) == 1 else 'NAME'}",
    )


def _checked(text: str) -> PolicySpec:
    """Return the policy that `text` names; raise `ConfigError` if it is wrong, before any gateway is asked."""
    spec = parse_spec(text)
    if spec.name == "score":
        read_options(spec, POLICIES[spec.name].options_type)  # the gateways run the function, and check that it exists
    else:
        Steering(text, b"")
    return spec


def _summary(policy: str) -> str:
    """Return the first line of the policy's module, without the part for readers of the code."""
    line = (sys.modules[POLICIES[policy].__module__].__doc__ or "").partition("\n")[0]
    return re.sub(r" \(`[\w.]+`\)| See `.*", "", line)


def _options(policy: str) -> list[Field]:
    return list(fields_of(policy, POLICIES[policy].options_type))


def _as_json(name: str) -> dict[str, Any]:
    options = [
        {
            "name": option.name,
            "default": option.default,
            "what": option.description,
            "rule": option.rule,
        }
        for option in _options(name)
    ]
    return {"policy": name, "what": _summary(name), "default": name == DEFAULT_POLICY, "options": options}


policy = CommandGroup({"set": change, "reset": reset, "list": list_policies}, default=show)

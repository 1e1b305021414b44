"""`ringway freeze`: stops all moves."""

from typing import Annotated

from ringway.cli.command import Option
from ringway.cli.option import OneGroup, SystemChoice, finds_system
from ringway.cli.process import run_async
from ringway.cli.steer import gateways
from ringway.cli.terminal import say
from ringway.protocol.directive import ASKED_FOR


@finds_system
def freeze(
    system: SystemChoice,
    why: Annotated[str, Option("--why", metavar="TEXT", help="Shown wherever moves are missed.")] = ASKED_FOR,
    group: OneGroup = "",
) -> None:
    """Stop moves of connections, at once and in the whole cluster, until `ringway unfreeze`.

    Newcomers are placed as before, and so are clients that reconnect by themselves. Drains wait, too.
    """

    async def decide() -> None:
        async with gateways(system) as found:
            await found.decide(lambda newest: newest.with_frozen(why.strip() or ASKED_FOR, group), group)

    run_async(decide())
    of_it, option = (f" of group {group}", f" --group {group}") if group else ("", "")
    reason = why.strip() or ASKED_FOR
    say(f"No connection{of_it} is moved any more: {reason}. `ringway unfreeze{option}` lets moves go on.")

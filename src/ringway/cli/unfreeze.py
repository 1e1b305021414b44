"""`ringway unfreeze`: lets moves go on."""

from ringway.cli.option import OneGroup, SystemChoice, finds_system
from ringway.cli.process import run_async
from ringway.cli.steer import gateways
from ringway.cli.terminal import say
from ringway.protocol.directive import Directive


@finds_system
def unfreeze(
    system: SystemChoice,
    group: OneGroup = "",
) -> None:
    """Let the balancer move connections again, after `ringway freeze`."""

    was_frozen = False

    def thaw(newest: Directive) -> Directive:
        nonlocal was_frozen
        was_frozen = newest.freezes(group)
        return newest.with_frozen("", group) if was_frozen else newest

    async def decide() -> None:
        async with gateways(system) as found:
            await found.decide(thaw, group)

    run_async(decide())
    of_it, option = (f" of group {group}", f" --group {group}") if group else ("", "")
    if not was_frozen:
        say(f"No operator had frozen moves{of_it}: nothing was changed. `ringway moves` says what the balancer does.")
        return
    where = f"`ringway rebalance --dry-run{option}` says where"
    say(f"The balancer moves connections{of_it} again where that is worth it: {where}.")

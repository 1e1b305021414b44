"""Isolation of a member: it hears other members and believes none of them, so that no client could be sent there.

The usual causes are another secret, a clock that is far off, and another version. A member that hears nobody at all is
not isolated: it may be the only member.
"""

from collections import Counter
from collections.abc import Mapping

from ringway.core.strangers import PRESENT_S, Strangers
from ringway.protocol.seal import SealFault
from ringway.types import NodeName

_CAUSES = {
    SealFault.FORGED: ("with another secret", "give all members the same secret"),
    SealFault.STALE: ("with another clock", "set the clocks of the machines"),
    SealFault.VERSION: ("of another wire version", "run versions that go together (docs/howto/upgrade.md)"),
    SealFault.UNSEALED: ("without sealed messages", "upgrade them (docs/howto/upgrade.md)"),
}
"""For each fault that isolates: the difference from the other members, and the remedy."""


_REMEDIES_OF_COMMANDS = {
    SealFault.FORGED: "give it the secret of the cluster (--secret-file), or the right --cluster",
    SealFault.STALE: "set the clock of this machine",
    SealFault.VERSION: "use the release of the members",
    SealFault.UNSEALED: "use the release of the members",
}


def why_isolated(own: NodeName, live: Mapping[NodeName, object], strangers: Strangers, now: float) -> str:
    """Return why the member `own` is isolated, with the remedy; empty if it is not. `now` is monotonic.

    `live` are the members that it believes, itself included or not.
    """
    if any(name != own for name in live):
        return ""
    faults = _present_faults(strangers, now)
    if not faults:
        return ""
    remedies = ", ".join(_CAUSES[fault][1] for fault in faults)
    return f"it believes none of the others: it hears {_seen(faults)}; {remedies}"


def why_not_to_lead(own: NodeName, live: Mapping[NodeName, object], strangers: Strangers, now: float) -> str:
    """Return why the gateway `own` must not lead the balancer; empty if it may. `now` is monotonic.

    A gateway that is isolated would balance no connections. If members of two wire versions that do not fit share a
    cluster, the greater part leads. Only proven messages count for that, so a process without the secret cannot decide
    it.
    """
    isolated = why_isolated(own, live, strangers, now)
    if isolated:
        return isolated
    believed, others = len({own, *live}), _present_faults(strangers, now).get(SealFault.VERSION, 0)
    if others <= believed:
        return ""
    return (
        f"it believes {believed} members, and {others} members of this cluster speak another wire version: one of "
        "theirs is to lead; run versions that go together (docs/howto/upgrade.md)"
    )


def why_command_believes_nobody(live: Mapping[NodeName, object], strangers: Strangers, now: float) -> str:
    """Return why a command believes no member, with the remedy; empty if it believes a member, or hears no member."""
    faults = _present_faults(strangers, now) if not live else {}
    if not faults:
        return ""
    remedies = ", ".join(dict.fromkeys(_REMEDIES_OF_COMMANDS[fault] for fault in faults))
    return f"this command believes no member: it hears {_seen(faults)}; {remedies}"


def _present_faults(strangers: Strangers, now: float) -> dict[SealFault, int]:
    """Return how many strangers are present by their fault, the most frequent fault first; only faults that isolate."""
    present = (each.fault for each in strangers if each.fault in _CAUSES and each.last_at + PRESENT_S > now)
    return dict(Counter(present).most_common())


def _seen(faults: Mapping[SealFault, int]) -> str:
    return ", ".join(f"{_members(count)} {_CAUSES[fault][0]}" for fault, count in faults.items())


def _members(count: int) -> str:
    return "1 member of this cluster" if count == 1 else f"{count} members of this cluster"

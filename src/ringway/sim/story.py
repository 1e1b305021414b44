"""Story of a simulation: its result in words and in rows of a table, for the terminal and for the page."""

from collections.abc import Sequence

from ringway.sim.contender import BASELINES
from ringway.sim.scenario import SCENARIOS, Scenario
from ringway.sim.summary import Summary

NAMES = {
    "modulo": "modulo hashing",
    "reconnect-all": "reconnect everybody",
    "restart-all": "restart all servers",
    "shed": "shed without target",
}

COLUMNS = (
    ("", "policy, or way without one"),
    ("moves", "connections that were closed to be elsewhere"),
    ("of the least", "times the least number that had to change their node for all to have their fair share"),
    ("for nothing", "of the moves, those from a node that nothing happened to, to another such"),
    ("balanced", "seconds until all nodes were within 5 % of their fair share, and stayed so"),
    ("fullest", "connections of the fullest node, in fair shares: before, at worst, at the end"),
    ("overshoot", "how far a node that joined went above its share, or an old one below it"),
    ("arrivals", "the most that came to a node in one second, against what it can take"),
    ("refused", "handshakes refused for want of room, and askers for whom there was no node"),
    ("away", "the most clients without a connection at one time"),
    ("each client", "moves for each client: on average, and at most"),
)
"""The columns of the table: their heads, and their meaning."""


def label(name: str) -> str:
    """Return the name of a contender."""
    return NAMES.get(name, name)


def headline(scenario: Scenario) -> str:
    """Return a sentence about the scenario."""
    nodes = f"{scenario.nodes} node{'s' * (scenario.nodes != 1)}"
    what = SCENARIOS[scenario.scenario]
    if scenario.event:
        what = "; ".join(
            f"{event.do} {', '.join(event.nodes) or (f'{event.clients:,}' if event.clients else 'one')} "
            f"at {event.at_s:g} s"
            for event in scenario.event
        )
    count = {"scale-out": scenario.add, "scale-in": scenario.remove, "crash": scenario.remove}.get(scenario.scenario)
    if count is not None:
        what = what.replace("nodes", "one node" if count == 1 else f"{count} nodes")
        if count == 1:
            what = what.replace("join", "joins").replace("are drained and leave", "is drained and leaves")
            what = what.replace("die ", "dies ")
    return f"{scenario.connections:,} connections on {nodes}; {what}."


def what_if_headline(scenario: Scenario) -> str:
    """Return a sentence about the question to a running system."""
    joining = sum(event.do == "join" for event in scenario.event)
    drained = [name for event in scenario.event if event.do == "drain" for name in event.nodes]
    asked = [f"{joining} more node{'s' * (joining != 1)}"] if joining else []
    asked += [f"without {', '.join(drained)}"] if drained else []
    held = f"The running system holds {scenario.connections:,} connections on {scenario.nodes} nodes"
    return f"{held}; what if: {' and '.join(asked) or 'another policy'}?"


def what_if_note(policies: Sequence[str]) -> str:
    """Return the caveats about policies by key in a question to a running system."""
    if not policies:
        return ""
    return (
        f"{', '.join(policies)}: as if told to move everybody to the owner of its key (`ringway policy set --move`). "
        "Reports do not tell clients' keys, so each is given one of its own."
    )


def sentences(summaries: Sequence[Summary]) -> list[str]:
    """Return a sentence on the result of each contender, for a reader who reads only this."""
    return [_sentence(summary) for summary in summaries]


def _sentence(summary: Summary) -> str:
    name = label(summary.name)
    if summary.moves and summary.moves_per_minimum is not None:
        share = summary.moves / max(1, summary.clients)
        said = f"{name} moved {summary.moves:,} connections ({share:.0%} of all, {summary.moves_per_minimum:.2f} times"
        said += " the least that is needed)"
    elif summary.moves:
        said = f"{name} moved {summary.moves:,} connections"
    else:
        said = f"{name} moved nobody"
    if summary.balanced_within_s is None:
        said += f" and was not balanced at the end: the fullest node held {summary.max_over_avg_after:.2f} fair shares"
    elif summary.balanced_within_s > 0:
        said += f" and was balanced after {summary.balanced_within_s:.0f} s"
    if summary.peak_over_capacity > 1:
        said += f"; {summary.peak_over_capacity:.1f} times what a node can take came to one in a second"
    if summary.away_peak > 0.02 * summary.clients:
        said += f"; {summary.away_peak / summary.clients:.0%} of all clients were cut off at the same time"
    return said + "."


def row(summary: Summary) -> list[str]:
    """Return the cells of a contender's row, as in `COLUMNS`."""
    minimum = f"{summary.moves_per_minimum:.2f}" if summary.moves_per_minimum is not None else "-"
    even = f"{summary.balanced_within_s:.0f} s" if summary.balanced_within_s is not None else "not"
    fullest = (summary.max_over_avg_before, summary.max_over_avg_worst, summary.max_over_avg_after)
    return [
        label(summary.name),
        f"{summary.moves:,}",
        minimum,
        f"{summary.collateral:,}",
        even,
        " ".join(f"{ratio:.2f}" for ratio in fullest),
        f"{summary.overshoot:.1%}",
        f"{summary.arrivals_peak_per_s:,}/s = {summary.peak_over_capacity:.0%}",
        f"{summary.refused + summary.turned_away:,}",
        f"{summary.away_peak:,}",
        f"{summary.moves_per_client:.2f}, {summary.moves_of_one_client_max}",
    ]


def explanations(summaries: Sequence[Summary]) -> list[str]:
    """Return a description of each baseline among `summaries`."""
    return [f"{label(summary.name)}: {BASELINES[summary.name]}" for summary in summaries if summary.name in BASELINES]

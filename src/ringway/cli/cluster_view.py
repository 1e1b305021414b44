"""Cluster as commands show it: the reports of the members, with the problems and strangers that gateways see."""

from collections.abc import Collection, Sequence

from ringway.admin.member import Cluster, describe
from ringway.cli.steer import Gateways
from ringway.errors import EngineError, ProtocolError
from ringway.member.feed import Feed
from ringway.protocol.control import ListProblems, MovePause, NodeProblems, choose_pauses
from ringway.protocol.directive import BY_OPERATOR

PROBLEMS_S = 1.0
"""The time for gateways to report problems of nodes."""


async def ask_problems(found: Gateways) -> list[NodeProblems]:
    """Return the problems of nodes, and the strangers, in the view of each gateway that answers in time."""
    try:
        answers = await found.ask_all(ListProblems(), PROBLEMS_S) if found.names else []
    except (EngineError, ProtocolError):  # the reports of the members are shown in any case
        return []
    return [answer for answer in answers if isinstance(answer, NodeProblems)]


def view_cluster(members: Feed, told: Sequence[NodeProblems]) -> Cluster:
    """Return the cluster by the reports that were heard, and by the answers of gateways."""
    problems = {answer.gateway: answer.problems for answer in told}
    strangers = [row for answer in told for row in answer.strangers]
    return describe(members.live.values(), problems, [*members.strangers.rows(), *strangers], pauses_of(told))


def pauses_of(told: Sequence[NodeProblems]) -> list[MovePause]:
    """Return by group why no moves are ordered now."""
    return list(choose_pauses(pause for answer in told for pause in answer.pauses).values())


def pause_line(pause: MovePause, groups: Collection[str]) -> str:
    """Return a pause as a line, with the remedy if there is one; its group is named if there are several `groups`."""
    of_it, option = (f" of group {pause.group}", f" --group {pause.group}") if len(groups) > 1 else ("", "")
    if not pause.is_frozen:
        return f"No moves{of_it} are ordered now: {pause.why}."
    remedy = f" `ringway unfreeze{option}` lets them go on." if pause.why.startswith(BY_OPERATOR) else ""
    return f"Moves{of_it} are frozen: {pause.why}.{remedy}"


def frozen_lines(told: Sequence[NodeProblems], cluster: Cluster) -> list[str]:
    """Return that moves are frozen, a line for each group in which they are."""
    return [pause_line(pause, cluster.groups) for pause in pauses_of(told) if pause.is_frozen]

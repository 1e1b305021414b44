"""Cluster as commands show it: the reports of the members, with the problems and strangers that gateways see."""

from collections.abc import Sequence

from ringway.admin.member import Cluster, describe
from ringway.cli.steer import Gateways
from ringway.errors import EngineError, ProtocolError
from ringway.member.feed import Feed
from ringway.protocol.control import ListProblems, NodeProblems

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
    return describe(members.live.values(), problems, [*members.strangers.rows(), *strangers])

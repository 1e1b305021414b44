"""Metrics of the groups of a gateway: their nodes, their balance, and their policies."""

from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING

from ringway.admin.metric import Sample, Source
from ringway.app.metric import (
    BALANCE,
    NODE_CONNECTIONS,
    NODE_DOUBTED,
    NODE_EJECTED,
    NODE_LOAD,
    NODE_SKEW,
    SCORE_FAILURES,
)

if TYPE_CHECKING:  # a process loads only the components that it runs
    from ringway.balancer.group_balance import GroupBalance
    from ringway.core.group import Groups


def read_groups(groups: "Groups") -> Source:
    """Return a source of a gateway's view of the nodes."""

    def read() -> Iterator[Sample]:
        for group in groups:
            for node in list(group.view.nodes.values()):
                yield Sample(NODE_LOAD, node.load, (node.name, group.name))
                yield Sample(NODE_CONNECTIONS, node.connections, (node.name, group.name))
                if groups.knocks:
                    yield Sample(NODE_DOUBTED, bool(node.doubt), (node.name,))
                yield Sample(NODE_EJECTED, bool(node.ejected), (node.name,))
                yield Sample(NODE_SKEW, round(node.skew_s, 3), (node.name,))

    return read


def read_balances(balances: "Mapping[str, GroupBalance]") -> Source:
    """Return a source for the balancer's work in each group."""

    def read() -> Iterator[Sample]:
        for name, balance in list(balances.items()):
            stats = balance.read_stats()
            for attribute, metric in BALANCE.items():
                value = getattr(stats, attribute)
                if isinstance(value, dict):
                    for label, count in list(value.items()):
                        yield Sample(metric, count, (name, str(label)))
                else:
                    yield Sample(metric, value, (name,))

    return read


def read_policies(groups: "Groups") -> Source:
    """Return a source for the policies in force."""
    from ringway.core.placement.score import Score

    def read() -> Iterator[Sample]:
        scores = [group.steering.policy for group in groups if isinstance(group.steering.policy, Score)]
        if scores:
            yield Sample(SCORE_FAILURES, sum(score.failures for score in scores))

    return read

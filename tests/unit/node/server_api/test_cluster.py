"""The number of channel nodes, by the reports of gateways."""

from typing import Any

import pytest

from ringway.node.server_api.cluster import count_nodes
from ringway.protocol.backend_share import BackendShare
from ringway.protocol.report import Report
from ringway.types import Incarnation, NodeName, Role

SHARE = BackendShare(incarnation=Incarnation("00000001"))


def gateway(**said: Any) -> Report:
    return Report(
        name=NodeName("g"), incarnation=Incarnation("0000ffff"), role=Role.GATEWAY, seq=1, url="http://g:1", **said
    )


@pytest.mark.parametrize(
    ("gateways", "count"),
    [
        ([], 0),
        ([gateway(nodes=3)], 3),
        ([gateway(nodes=2), gateway(nodes=3)], 3),
        ([gateway(nodes=5, held={"a": SHARE, "b": SHARE}), gateway(nodes=5, held={"b": SHARE})], 3),
        ([gateway(nodes=1, held={"a": SHARE})], 0),
    ],
    ids=["none", "one", "the one that hears more", "beside backends", "backends alone"],
)
def test_channel_nodes_are_counted_by_the_gateways(gateways: list[Report], count: int) -> None:
    assert count_nodes(gateways) == count

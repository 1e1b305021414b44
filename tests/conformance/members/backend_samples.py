"""Samples of messages about backends that register, come from sources and are in groups; as `samples` for the rest."""

import msgspec

from conformance.members.samples import BACKEND, BACKEND_SHARE, GATEWAY, NODE, OTHER, OTHER_LIFE, QUOTAS, SEALED_AT
from ringway.protocol.backend import Backend
from ringway.protocol.backend_share import BackendClaim, BackendShare
from ringway.protocol.control import (
    Decision,
    Decisions,
    DirectiveAnswer,
    Explain,
    Explanation,
    GroupPolicy,
    ListDecisions,
    SetDirective,
)
from ringway.protocol.directive import Directive, GroupDecision
from ringway.protocol.expected import Came, Expect, ExpectedClient
from ringway.protocol.order import PlanAnswer, Rebalance
from ringway.protocol.report import Report
from ringway.types import Incarnation, NodeName, Role

GATEWAY_2, GATEWAY_2_LIFE = NodeName("gateway-2"), Incarnation("50515253")

OF_GROUPS = Directive(
    version=9,
    policy="two-choices",
    groups=(GroupDecision(group="chat", policy="ring", moving=False, frozen="a deploy"),),
)

LISTED = Backend(name=NodeName("echo-2"), url="ws://10.0.0.10:9000", group="chat")
ROUTED_REPORT = Report(
    name=GATEWAY_2,
    incarnation=GATEWAY_2_LIFE,
    role=Role.GATEWAY,
    seq=1,
    url="http://10.0.0.6:8000",
    secrets=("01020304", "05060708"),
    cool_down_s=1800.0,
    directive=OF_GROUPS,
    group_owners={"chat": "0123456789abcdef"},
    wire_common=2,
    backends={
        BACKEND.name: BackendClaim(backend=BACKEND, since=SEALED_AT, lease_s=30.0),
        LISTED.name: BackendClaim(backend=LISTED, since=SEALED_AT, source="file /etc/ringway/backends.toml"),
    },
    held={BACKEND.name: BACKEND_SHARE},
)
ROUTED_LATER = msgspec.structs.replace(
    ROUTED_REPORT,
    seq=2,
    directive=msgspec.structs.replace(OF_GROUPS, version=10, groups=(GroupDecision(group="chat", moving=True),)),
    group_owners={},
    held={LISTED.name: BackendShare(incarnation=OTHER_LIFE, version=1, connections=7)},
)

CALLS = {
    "explain in a group": (
        Explain(key="carol", group="chat", host="chat.example", path="/room/7"),
        Explanation(
            gateway=GATEWAY_2,
            group="chat",
            groups=("channels", "chat"),
            policy="ring",
            rule="the owner of the key",
            measure="hash",
            problem="all backends drain",
        ),
    ),
    "directive of groups": (
        SetDirective(directive=OF_GROUPS),
        DirectiveAnswer(
            gateway=GATEWAY_2,
            policy="two-choices",
            directive=OF_GROUPS,
            groups=(
                GroupPolicy(group="chat", policy="ring", configured="two-choices", moving=False, frozen="a deploy"),
            ),
        ),
    ),
    "decisions of a group": (
        ListDecisions(count=1),
        Decisions(
            decisions=(
                Decision(number=4, gateway=GATEWAY, group="chat", at=SEALED_AT, cause="keys", reason="keys of others"),
            )
        ),
    ),
}

REBALANCE = Rebalance(group="chat")
PLAN = PlanAnswer(
    quotas=QUOTAS,
    reason="imbalance",
    imbalance=0.25,
    moves_per_s=50.0,
    fair={NODE: 500.0, OTHER: 500.0},
    load={NODE: 600.0, OTHER: 400.0},
    groups={NODE: "chat", OTHER: "chat"},
    why="no group of that name has members",
)

EXPECTED = {
    "expect": Expect(
        clients=(
            ExpectedClient(
                id="40414243-1",
                mark="0123456789abcdef",
                gateway=GATEWAY,
                donor=BACKEND.name,
                target=LISTED.name,
                ttl_s=10.0,
            ),
        )
    ),
    "came": Came(ids=("40414243-1",), shown=True),
}

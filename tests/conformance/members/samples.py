"""Samples of all messages between members, with a value in every field that is not the usual one."""

import math

import msgspec

from ringway.core.credentials import Credentials
from ringway.core.session import PLAIN as PLAIN_SESSION
from ringway.core.session import VERSION as SESSION_VERSION
from ringway.core.session import WATCHING, Held, Session
from ringway.core.subscription_rights import SubscriptionRights
from ringway.protocol.backend import Backend, OnMove
from ringway.protocol.backend_share import BackendClaim, BackendShare
from ringway.protocol.command import ClientInfo
from ringway.protocol.control import (
    Candidate,
    Decision,
    Decisions,
    DirectiveAnswer,
    Explain,
    Explanation,
    GetDirective,
    ListDecisions,
    ListProblems,
    MovePause,
    NodeProblems,
    SetDirective,
    StrangerRow,
)
from ringway.protocol.directive import Directive
from ringway.protocol.order import (
    DrainAnswer,
    DrainRequest,
    MoveOrder,
    NodeConsent,
    NodeRefusal,
    PlanAnswer,
    QuotaRow,
    Rebalance,
    SetState,
    Unreached,
)
from ringway.protocol.owners import Owners, OwnersAnswer, OwnersRequest, version_of
from ringway.protocol.presence import PresenceAnswer, PresenceQuestion
from ringway.protocol.report import Report
from ringway.protocol.seal import SealFault
from ringway.protocol.survey import AskChannels, AskInfo, NodeChannels, NodeInfo
from ringway.protocol.user_order import (
    AskConnections,
    DisconnectOrder,
    FoundConnection,
    NodeConnections,
    OrderDone,
    SubscribeOrder,
    UnsubscribeOrder,
)
from ringway.types import Channel, Incarnation, Issuer, NodeName, NodeState, Role

SECRET = b"the secret of recorded messages, 32 bytes and more"
SEALED_AT = 1_800_000_000.125
"""When all of them were sealed, in Unix seconds."""

NODE, OTHER, GATEWAY = NodeName("node-1"), NodeName("node-2"), NodeName("gateway-1")
NODE_LIFE, OTHER_LIFE, GATEWAY_LIFE = Incarnation("0a1b2c3d"), Incarnation("f0e1d2c3"), Incarnation("40414243")
ROOM = Channel("rooms:ä")
TICKET = "A" * 44
CLIENT = "0a1b2c3d-000000000001"

DIRECTIVE = Directive(version=7, policy="ring:replicas=100", moving=False, frozen="a deploy")

NODE_REPORT = Report(
    name=NODE,
    incarnation=NODE_LIFE,
    role=Role.NODE,
    seq=1,
    url="ws://10.0.0.7:9101/connection/websocket",
    public_url="wss://node-1.example/connection/websocket",
    version="0.1.0",
    admin_url="http://10.0.0.7:9201",
    weight=2.0,
    zone="a",
    connections=1000,
    pending=3,
    connections_max=50_000,
    cooling=40,
    accept_per_s=250.0,
    handshake_p99_s=0.0125,
    utilisation={"cpu": 0.25, "memory": 0.5},
    cpu=0.2,
    memory_bytes=65_536 * 2000,
    loop_lag_s=0.00125,
    publications=10_000,
    deliveries=1_000_000,
    accepted=5000,
    taken={Issuer(GATEWAY_LIFE): 4000, Issuer(OTHER_LIFE): 17},
    reserved={OTHER: 2},
    moved={OTHER: 90},
    missed=1,
    counted="0123456789abcdef",
    misplaced={OTHER: 5},
)
NODE_LATER = msgspec.structs.replace(
    NODE_REPORT,
    seq=2,
    engine_up=False,
    weight=0.0,
    state=NodeState.DRAINING,
    connections=990,
    pending=0,
    connections_max=40_000,
    cooling=41,
    drain_left_s=29.5,
    drain_avoid=(NodeName("node-3"),),
    accept_per_s=250.5,
    handshake_p99_s=0.012,
    utilisation={"cpu": 0.5, "memory": 0.5},
    cpu=0.25,
    memory_bytes=65_536 * 2001,
    loop_lag_s=0.002,
    publications=10_100,
    deliveries=1_000_900,
    accepted=5001,
    taken={Issuer(GATEWAY_LIFE): 4001, Issuer(OTHER_LIFE): 17},
    reserved={NodeName("node-3"): 1},
    moved={OTHER: 100},
    missed=2,
    counted="123456789abcdef0",
    misplaced={NodeName("node-3"): 6},
)
BACKEND = Backend(
    name=NodeName("echo-1"),
    url="wss://10.0.0.9:9000/app",
    weight=2.0,
    group="chat",
    zone="a",
    check="/healthz",
    check_host="health.example",
    host="app.example",
    tls_name="echo.example",
    on_move=OnMove.CLOSE,
    close_code=1001,
    restart_codes=(1011, 4000),
    life="7",
)
CLAIM = BackendClaim(backend=BACKEND, since=SEALED_AT, utilisation={"cpu": 0.5})
BACKEND_SHARE = BackendShare(
    incarnation=BACKEND.incarnation,
    version=3,
    state=NodeState.DRAINING,
    drain_left_s=29.5,
    drain_avoid=(NodeName("echo-2"),),
    connections=40,
    leaving=2,
    cooling=3,
    accepted=50,
    taken={Issuer(GATEWAY_LIFE): 45},
    moved={NodeName("echo-2"): 5},
    reserved={NodeName("echo-2"): 1},
    missed=1,
    counted="0123456789abcdef",
    misplaced={NodeName("echo-2"): 4},
    handed_over=6,
    reconnected=7,
    lost=1,
)
BACKEND_SHARE_LATER = msgspec.structs.replace(
    BACKEND_SHARE, connections=39, drain_left_s=28.5, moved={NodeName("echo-2"): 6}
)
GATEWAY_REPORT = Report(
    name=GATEWAY,
    incarnation=GATEWAY_LIFE,
    role=Role.GATEWAY,
    seq=1,
    url="http://10.0.0.5:8000",
    public_url="https://example",
    version="0.1.0",
    admin_url="http://10.0.0.5:8100",
    reserved={NODE: 3, OTHER: 1},
    leading=True,
    directive=DIRECTIVE,
    fence=1_800_000_000_000_000_000,
    nodes=2,
    takers=2,
    coming={NODE: 4},
    owners="0123456789abcdef",
    gone=(NodeName("node-9"),),
    backends={BACKEND.name: CLAIM},
    held={BACKEND.name: BACKEND_SHARE, NodeName("echo-3"): BackendShare(incarnation=OTHER_LIFE, connections=1)},
)
GATEWAY_LATER = msgspec.structs.replace(
    GATEWAY_REPORT,
    seq=2,
    reserved={NODE: 5},
    leading=False,
    directive=msgspec.structs.replace(DIRECTIVE, version=8, frozen=""),
    fence=1_800_000_000_000_000_001,
    nodes=3,
    takers=1,
    coming={},
    owners="123456789abcdef0",
    gone=(),
    held={BACKEND.name: BACKEND_SHARE_LATER},
)

OWNERS = Owners(table="rendezvous", weights={NODE: 1.0, OTHER: 2.0}, before={NODE: 1.0})
QUOTAS = (QuotaRow(donor=NODE, target=OTHER, count=12),)

OWNERS_CALLS = {
    "owners": (
        OwnersRequest(version=version_of(OWNERS)),
        OwnersAnswer(version=version_of(OWNERS), owners=OWNERS),
    ),
    "owners since": (
        OwnersRequest(version=version_of(OWNERS), have="0123456789abcdef"),
        OwnersAnswer(version=version_of(OWNERS), since="0123456789abcdef", changed={OTHER: 2.0}),
    ),
}

NODE_REQUESTS = {
    "move": MoveOrder(fence=42, target=OTHER, count=10, within_s=1.5, owners=version_of(OWNERS), clock_s=-0.25),
    "state": SetState(draining=True, within_s=30.0, avoid=(NodeName("node-3"),)),
    "unreached": Unreached(gateway=GATEWAY, why="its URL cannot be reached; correct it"),
}
NODE_ANSWERS = {"done": NodeConsent(), "refused": NodeRefusal(why="an older leader's order")}

REBALANCE = Rebalance(dry_run=True)
PLAN = PlanAnswer(
    quotas=QUOTAS,
    reason="imbalance",
    imbalance=0.25,
    moves_per_s=50.0,
    fair={NODE: 500.0, OTHER: 500.0},
    load={NODE: 600.0, OTHER: 400.0},
    reconnect_window_s=4.0,
    frozen="a deploy",
    needs_s=0.5,
)
DRAIN = DrainRequest(node=NODE, within_s=30.0, force=True, avoid=(NodeName("node-3"),))
DRAINED = DrainAnswer(why="too fast", connections=1000, moves_per_s=50.0, needs_s=20.5)

GATEWAY_CALLS = {
    "explain": (
        Explain(key="carol"),
        Explanation(
            gateway=GATEWAY,
            policy="ring",
            rule="the owner of the key",
            measure="hash",
            key="carol",
            chosen=NODE,
            alternates=(OTHER,),
            candidates=(
                Candidate(
                    node=NODE,
                    state="active",
                    eligible=True,
                    why_not="it is full",
                    note="its score is old",
                    compared=True,
                    value=0.5,
                    connections=1000,
                    pending=3,
                    held_here=2,
                    held_elsewhere=1,
                    load=1006,
                    weight=2.0,
                    trim=0.5,
                    connections_max=50_000,
                    report_age_s=0.5,
                ),
            ),
            problem="nobody takes newcomers",
            note="moves are frozen",
        ),
    ),
    "directive": (
        GetDirective(),
        DirectiveAnswer(
            gateway=GATEWAY, policy="ring", configured="two-choices", directive=DIRECTIVE, problem="unknown policy"
        ),
    ),
    "set": (SetDirective(directive=DIRECTIVE), NodeRefusal(why="not understood")),
    "problems": (
        ListProblems(),
        NodeProblems(
            gateway=GATEWAY,
            problems={NODE: "its clock is 3 s ahead"},
            strangers=(StrangerRow(name=NodeName("node-9"), fault=SealFault.FORGED, problem="another secret"),),
            pauses=(MovePause(group="chat", why="an operator has frozen it: a deploy", is_frozen=True),),
        ),
    ),
    "decisions": (
        ListDecisions(count=5),
        Decisions(
            decisions=(
                Decision(
                    number=3,
                    gateway=GATEWAY,
                    at=SEALED_AT,
                    cause="imbalance",
                    reason="20 % above",
                    policy="ring",
                    load={NODE: 600, OTHER: 400},
                    fair={NODE: 500.0, OTHER: 500.0},
                    quotas=QUOTAS,
                    planned=12,
                    ordered=10,
                    seconds=2.5,
                    outcome="done",
                ),
            )
        ),
    ),
}

SESSION = Session(
    PLAIN_SESSION,
    CLIENT,
    "carol",
    b"key",
    12.5,
    math.inf,
    (Held(ROOM, WATCHING, "e1", 77, {}), Held("lobby", 0, "", 0, {NODE_LIFE: 12})),
    (b'{"id":3,"publish":{}}',),
    (b'{"id":4,"publish":{"channel":"lobby","data":1}}',),
)

SESSION_OF_USER = msgspec.structs.replace(
    SESSION,
    version=SESSION_VERSION,
    credentials=Credentials(
        "carol", b'{"name":"Carol"}', b'{"plan":"free"}', 1_800_000_000.0, 1_700_000_000.0, "j1", 1_700_000_001.5
    ),
    rights={"lobby": SubscriptionRights(b'{"color":"red"}', 1_800_000_000.0, is_server_side=True)},
)

PUBLICATION_BODY = '{"data":{"text":"grüß"},"info":{"user":"carol","client":"c1"}}'.encode()
INFO_BODY = b'{"user":"carol","client":"c1"}'
QUESTION = PresenceQuestion(channel=ROOM, clients_max=100)
PRESENT = PresenceAnswer(
    to=5,
    count=2,
    clients={"c1": ClientInfo(user="carol", client="c1")},
    users=["carol", "dave"],
    coming=["c3"],
    leaving=["c1"],
)

SURVEYS = {
    "info": (
        AskInfo(),
        NodeInfo(
            name=NODE, incarnation=NODE_LIFE, version="0.1.0", connections=1000, users=700, subscriptions=2500,
            channels=40, uptime_s=3600.5, cpu=0.25, memory_bytes=65_536 * 2000,
        ),
    ),
    "channels": (
        AskChannels(pattern="rooms:*", channels_max=2),
        NodeChannels(incarnation=NODE_LIFE, channels={ROOM: 7, "rooms:1": 1}, is_cut=True),
    ),
}  # fmt: skip
"""The questions to all nodes, each with the answer of one."""

USER_ORDERS = {
    "disconnect": (
        DisconnectOrder(
            user="carol", client=CLIENT, session=CLIENT, code=3503, reason="force disconnect", at=1_800_000_000.5,
            spared=("0a1b2c3d-000000000002",),
        ),
        OrderDone(incarnation=NODE_LIFE, count=1),
    ),
    "unsubscribe": (
        UnsubscribeOrder(user="carol", channel=ROOM, code=2001, reason="by a backend"),
        OrderDone(incarnation=NODE_LIFE, count=2),
    ),
    "subscribe": (
        SubscribeOrder(
            user="carol", channel=ROOM, info='{"color":"red"}', data='{"hello":1}', expires_at=1_800_000_600.0
        ),
        OrderDone(incarnation=NODE_LIFE, count=3),
    ),
    "connections": (
        AskConnections(user="carol", connections_max=10),
        NodeConnections(
            incarnation=NODE_LIFE,
            connections={
                CLIENT: FoundConnection(
                    user="carol", channels=(ROOM, "lobby"), server_side=("lobby",), token_id="j1",
                    issued_at=1_700_000_000.0, meta='{"plan":"free"}',
                )
            },
            is_cut=True,
        ),
    ),
}  # fmt: skip
"""The orders to the clients of a user, each with the answer of a node."""

"""Settings of a channel node, with the unit, bound and reason of each."""

from typing import Annotated, Literal

import msgspec

from ringway.errors import ConfigError, refuse
from ringway.node.config.namespace import read_namespaces, short_namespaces
from ringway.node.config.rights import NodeRightsConfig
from ringway.protocol.address import url_problems
from ringway.protocol.weight import WEIGHT_MAX, WEIGHT_RULE, is_weight


class NodeConfig(NodeRightsConfig, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The settings of one channel node."""

    weight: Annotated[
        float,
        msgspec.Meta(
            description="Share of the connections, relative to other nodes: 0, or at least 0.001. With 0 the balancer "
            "moves its connections away; clients that come directly are still accepted.",
            ge=0,
            le=WEIGHT_MAX,
        ),
    ] = 1.0
    zone: Annotated[str, msgspec.Meta(description="Failure domain of the node, sent in its report.")] = ""
    connect_deadline_s: Annotated[
        float,
        msgspec.Meta(
            description="The connect command must come in this time after the handshake; otherwise close 3502.",
            gt=0,
            le=300,
            extra={"unit": "s"},
        ),
    ] = 10.0
    close_deadline_s: Annotated[
        float,
        msgspec.Meta(
            description="A client must answer a close frame in this time; otherwise its connection is cut.",
            gt=0,
            le=60,
            extra={"unit": "s"},
        ),
    ] = 2.0
    engine_deadline_s: Annotated[
        float,
        msgspec.Meta(
            description="The engine must accept a publication or subscription in this time; otherwise the client gets "
            "error 100 (temporary). Below the 5 s for which official SDKs wait for a reply.",
            gt=0,
            le=60,
            extra={"unit": "s"},
        ),
    ] = 4.0
    drain_within_s: Annotated[
        float,
        msgspec.Meta(
            description="On SIGTERM, clients are moved to other nodes within this time; the rest is then closed with "
            "1012. Whoever sends the signal should wait 15 s longer before it kills the process. 0: no drain; SIGINT "
            "never drains.",
            ge=0,
            le=3600,
            extra={"unit": "s"},
        ),
    ] = 30.0
    stop_deadline_s: Annotated[
        float,
        msgspec.Meta(
            description="On shutdown, clients get 3001 in batches, and have this long to end.",
            ge=0,
            le=600,
            extra={"unit": "s"},
        ),
    ] = 5.0

    namespaces: Annotated[
        tuple[str, ...],
        msgspec.Meta(
            description="Options of channels by namespace: chat:history_size=50,presence=false for the channels "
            "chat:...; `default` for channels without a namespace. In TOML a table: [node.namespaces.chat]. All nodes "
            "must have the same. The options are below.",
            extra={"flag": "namespace", "table": short_namespaces},
        ),
    ] = ()
    tail_bytes_max: Annotated[
        int,
        msgspec.Meta(
            description="Bytes of each channel's newest messages that are kept while clients return or sessions move; "
            "also the bound for messages that wait while history is read. Beyond it history is read again.",
            ge=1024,
            le=1024 * 1024 * 1024,
            extra={"unit": "bytes"},
        ),
    ] = 1024 * 1024
    history_reads_max: Annotated[
        int,
        msgspec.Meta(
            description="Requests for history that this node has at the engine at one time; further requests wait.",
            ge=1,
            le=10_000,
        ),
    ] = 32
    history_answers_max: Annotated[
        int,
        msgspec.Meta(
            description="Answers to `history` that are made at one time, each up to recovery_bytes_max; further ones "
            "wait.",
            ge=1,
            le=10_000,
        ),
    ] = 8
    presence_deadline_s: Annotated[
        float,
        msgspec.Meta(
            description="Nodes that are asked for presence must answer in this time; late answers are left out.",
            gt=0,
            le=60,
            extra={"unit": "s"},
        ),
    ] = 1.0
    presence_keep_s: Annotated[
        float,
        msgspec.Meta(
            description="How long the answers to a question about presence are used for all clients that ask for the "
            "same channel at this node. Joins and leaves at this node, and those that other nodes publish "
            "(join_leave), are seen at once, other changes after this time. 0: ask for each question.",
            ge=0,
            le=60,
            extra={"unit": "s"},
        ),
    ] = 1.0
    presence_grace_s: Annotated[
        float,
        msgspec.Meta(
            description="With NATS, which does not count who receives a question: how long a question about presence "
            "waits at most, after the last answer, for nodes that did not have the channel before. It waits less while "
            "answers come quickly. Give more than a round trip between your sites.",
            ge=0.01,
            le=10,
            extra={"unit": "s"},
        ),
    ] = 0.1
    turn_bytes_max: Annotated[
        int,
        msgspec.Meta(
            description="Publications of one loop turn are joined into one frame up to this size. A full frame is sent "
            "without waiting for the end of the turn.",
            ge=1024,
            le=16 * 1024 * 1024,
            extra={"unit": "bytes"},
        ),
    ] = 128 * 1024
    ping_interval_s: Annotated[
        int,
        msgspec.Meta(
            description="The pause between two pings of one connection; the first is jittered.",
            ge=2,
            le=3600,
            extra={"unit": "s"},
        ),
    ] = 25
    pong_timeout_s: Annotated[
        int,
        msgspec.Meta(
            description="A ping must be answered in this time; otherwise close 3012. Below the ping interval.",
            ge=1,
            le=3600,
            extra={"unit": "s"},
        ),
    ] = 8
    linger_s: Annotated[
        float,
        msgspec.Meta(
            description="The engine's subscription to a channel outlives the last subscriber here by this time, so "
            "that frequent joins and leaves cost the engine little.",
            ge=0,
            le=3600,
            extra={"unit": "s"},
        ),
    ] = 3.0
    report_interval_s: Annotated[
        float,
        msgspec.Meta(
            description="The pause between two reports, 20 % jittered; members that are silent for 2.5 s count as "
            "dead.",
            ge=0.2,
            le=2.0,
            extra={"unit": "s"},
        ),
    ] = 1.0
    move_cool_down_s: Annotated[
        float,
        msgspec.Meta(
            description="A connection that was moved here is not moved again for this long, unless the node drains.",
            ge=0,
            le=86400,
            extra={"unit": "s"},
        ),
    ] = 1800.0
    move_first: Annotated[
        Literal["youngest", "oldest"],
        msgspec.Meta(
            description="Which connections are moved first, of those that are equally cheap to disturb. The oldest "
            "have shown that they stay, and their clients have the most state."
        ),
    ] = "youngest"
    idle_after_s: Annotated[
        float,
        msgspec.Meta(
            description="A client without a command for this long is idle, and is moved before busy clients.",
            ge=0,
            le=86400,
            extra={"unit": "s"},
        ),
    ] = 10.0
    allow_pins: Annotated[
        bool,
        msgspec.Meta(
            description="A client may ask never to be moved, with `pin=1` in its query. Off: the query is ignored."
        ),
    ] = True
    max_age_s: Annotated[
        float,
        msgspec.Meta(
            description="Mean life of a connection, drawn from 0.5 to 1.5 of it. Then it is closed with 1012, and "
            "returns through the gateway. Only for clients that do not obey moves; 14400 is a good value for them. 0: "
            "no end, because moves disturb far fewer clients.",
            ge=0,
            le=31_536_000,
            extra={"unit": "s"},
        ),
    ] = 0.0
    egress_bytes_per_s_max: Annotated[
        float,
        msgspec.Meta(
            description="Bytes a second that this node can send to its clients, for its report of utilisation. It "
            "limits nothing. 0: the speed of the network card, if the system reports it.",
            ge=0,
            le=1e12,
        ),
    ] = 0.0

    def __post_init__(self) -> None:
        """Raise `ConfigError` if a URL is unusable, or two settings contradict each other."""
        form = "write ws://host:port/path"
        problems = url_problems("url", self.url, {"ws": 80, "wss": 443}, form)
        problems += url_problems("public_url", self.public_url, {"ws": 80, "wss": 443}, form)
        if not is_weight(self.weight):
            problems.append(f"weight is {self.weight:g}; it must be {WEIGHT_RULE}")
        if self.pong_timeout_s >= self.ping_interval_s:
            problems.append(
                f"pong_timeout_s is {self.pong_timeout_s}, ping_interval_s is {self.ping_interval_s}: a ping must be "
                "answered before the next one; lower pong_timeout_s"
            )
        if self.message_bytes_max > self.outbox_bytes_max:
            problems.append(
                f"message_bytes_max is {self.message_bytes_max}, outbox_bytes_max is {self.outbox_bytes_max}: so "
                "long a message closes each of its subscribers; lower message_bytes_max, or raise outbox_bytes_max"
            )
        problems += self.list_problems()
        try:
            names = read_namespaces(self.namespaces)
            if self.personal_channel_namespace not in ("", *names) and not self.insecure:
                problems.append(
                    f"personal_channel_namespace is {self.personal_channel_namespace}, and there is no such namespace; "
                    "give it options"
                )
            problems += self.hook_problems(names, self.connect_deadline_s)
        except ConfigError as error:
            problems += error.problems
        refuse(problems)

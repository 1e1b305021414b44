"""Settings of a channel node: each field with its unit, bound and reason."""

from typing import Annotated, Literal

import msgspec

from ringway.errors import ConfigError
from ringway.node.config.edge import NodeEdgeConfig
from ringway.node.config.namespace import read_namespaces, short_namespaces
from ringway.protocol.address import url_problems


class NodeConfig(NodeEdgeConfig, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The settings of one channel node."""

    weight: Annotated[
        float,
        msgspec.Meta(
            description="Share of the connections, against other nodes. 0: none; the balancer moves away those that it "
            "has, and clients that come directly are accepted all the same.",
            ge=0,
            le=1000,
        ),
    ] = 1.0
    zone: Annotated[str, msgspec.Meta(description="Failure domain of the node, told in its report.")] = ""
    connect_deadline_s: Annotated[
        float,
        msgspec.Meta(
            description="The connect command must come this long after the handshake, else close 3502.",
            gt=0,
            le=300,
            extra={"unit": "s"},
        ),
    ] = 10.0
    close_deadline_s: Annotated[
        float,
        msgspec.Meta(
            description="A client must answer a close frame in this time, else its connection is cut.",
            gt=0,
            le=60,
            extra={"unit": "s"},
        ),
    ] = 2.0
    engine_deadline_s: Annotated[
        float,
        msgspec.Meta(
            description="The engine must take a publication or subscription in this time, else the client is told "
            "error 100 (temporary). Below the 5 s for which official SDKs wait for a reply.",
            gt=0,
            le=60,
            extra={"unit": "s"},
        ),
    ] = 4.0
    drain_within_s: Annotated[
        float,
        msgspec.Meta(
            description="On SIGTERM, clients are moved to other nodes within this time, and who is left then is closed "
            "with 1012. Whoever sends the signal should wait 15 s longer before it kills. 0: no drain; SIGINT never "
            "drains.",
            ge=0,
            le=3600,
            extra={"unit": "s"},
        ),
    ] = 30.0
    stop_deadline_s: Annotated[
        float,
        msgspec.Meta(
            description="On shutdown, clients are told 3001 in batches and have this long to end.",
            ge=0,
            le=600,
            extra={"unit": "s"},
        ),
    ] = 5.0

    namespaces: Annotated[
        tuple[str, ...],
        msgspec.Meta(
            description="Options of channels by namespace, as chat:history_size=50,presence=false for those named "
            "chat:...; `default` stands for all others. In TOML a table: [node.namespaces.chat]. All nodes are given "
            "the same. The options are below.",
            extra={"flag": "namespace", "table": short_namespaces},
        ),
    ] = ()
    tail_bytes_max: Annotated[
        int,
        msgspec.Meta(
            description="Of one channel, what is kept of its newest messages while clients come back or sessions are "
            "on their way; and what is held back while history is read. Then history is read again.",
            ge=1024,
            le=1024 * 1024 * 1024,
            extra={"unit": "bytes"},
        ),
    ] = 1024 * 1024
    history_reads_max: Annotated[
        int,
        msgspec.Meta(
            description="Questions about history that this node has at the engine at one time; more wait.",
            ge=1,
            le=10_000,
        ),
    ] = 32
    history_answers_max: Annotated[
        int,
        msgspec.Meta(
            description="Answers to `history` that are made at one time, each of them up to recovery_bytes_max; more "
            "wait.",
            ge=1,
            le=10_000,
        ),
    ] = 8
    presence_deadline_s: Annotated[
        float,
        msgspec.Meta(
            description="How long nodes that are asked for presence have to answer; who does not is left out.",
            gt=0,
            le=60,
            extra={"unit": "s"},
        ),
    ] = 1.0
    turn_bytes_max: Annotated[
        int,
        msgspec.Meta(
            description="Publications of one loop turn are joined into one frame up to this size, then sent without "
            "waiting for the turn's end.",
            ge=1024,
            le=16 * 1024 * 1024,
            extra={"unit": "bytes"},
        ),
    ] = 128 * 1024
    ping_interval_s: Annotated[
        int,
        msgspec.Meta(
            description="Pause between two pings of one connection; the first is jittered.",
            ge=2,
            le=3600,
            extra={"unit": "s"},
        ),
    ] = 25
    pong_timeout_s: Annotated[
        int,
        msgspec.Meta(
            description="A ping must be answered in this time, else close 3012. Below the ping interval.",
            ge=1,
            le=3600,
            extra={"unit": "s"},
        ),
    ] = 8
    linger_s: Annotated[
        float,
        msgspec.Meta(
            description="How long the engine's interest in a channel outlives its last subscriber here, so that "
            "coming and going costs the engine little.",
            ge=0,
            le=3600,
            extra={"unit": "s"},
        ),
    ] = 3.0
    report_interval_s: Annotated[
        float,
        msgspec.Meta(
            description="Pause between two reports, 20 % jittered; members take silence of 2.5 s for death.",
            ge=0.2,
            le=2.0,
            extra={"unit": "s"},
        ),
    ] = 1.0
    move_cool_down_s: Annotated[
        float,
        msgspec.Meta(
            description="A connection that was moved here is not moved on for this long, unless the node drains.",
            ge=0,
            le=86400,
            extra={"unit": "s"},
        ),
    ] = 1800.0
    move_first: Annotated[
        Literal["youngest", "oldest"],
        msgspec.Meta(
            description="Of connections that are equally cheap to disturb, which are moved first. The oldest have "
            "proved that they stay, and their clients have gathered the most state."
        ),
    ] = "youngest"
    idle_after_s: Annotated[
        float,
        msgspec.Meta(
            description="A client that has sent no command for this long is idle, and moved before busy ones.",
            ge=0,
            le=86400,
            extra={"unit": "s"},
        ),
    ] = 10.0
    allow_pins: Annotated[
        bool,
        msgspec.Meta(
            description="Whether a client may ask never to be moved, with `pin=1` in its query. Off: it is ignored."
        ),
    ] = True
    max_age_s: Annotated[
        float,
        msgspec.Meta(
            description="Mean life of a connection, drawn from 0.5 to 1.5 of it; then it is closed with 1012 and comes "
            "back through the gateway. The fallback for clients that obey no moves; 0: no end, since moves disturb "
            "far fewer. 14400 is a good value where it is needed.",
            ge=0,
            le=31_536_000,
            extra={"unit": "s"},
        ),
    ] = 0.0
    egress_bytes_per_s_max: Annotated[
        float,
        msgspec.Meta(
            description="What this node may send to its clients, for its report of how full it is; nothing is slowed "
            "down. 0: the speed of the network card, where the system tells it.",
            ge=0,
            le=1e12,
        ),
    ] = 0.0

    def __post_init__(self) -> None:
        """Raise `ConfigError` if a URL cannot be used, or two settings contradict each other."""
        form = "write ws://host:port/path"
        problems = url_problems("url", self.url, {"ws": 80, "wss": 443}, form)
        problems += url_problems("public_url", self.public_url, {"ws": 80, "wss": 443}, form)
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
        if problems:
            raise ConfigError(*problems)
        read_namespaces(self.namespaces)
        self.check_lists()

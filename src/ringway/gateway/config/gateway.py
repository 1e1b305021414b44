"""Settings of a gateway, with the unit, bound and reason of each."""

from typing import Annotated

import msgspec

from ringway.core.placement.spec import DEFAULT_POLICY, short_policy
from ringway.core.route_spec import read_routes
from ringway.errors import ConfigError
from ringway.gateway.config.auth import GatewayAuthConfig
from ringway.protocol.address import url_problems
from ringway.protocol.ticket import TICKET_WAIT_S_MAX


class GatewayConfig(GatewayAuthConfig, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The settings of one gateway."""

    policy: Annotated[
        str,
        msgspec.Meta(
            description="The policy that chooses nodes, with options: two-choices:d=3, or as a table in TOML. `ringway "
            "policy list` lists the policies. The default stays good when reports are late. `ringway policy set` "
            "changes the policy for all gateways while they run.",
            extra={"table": short_policy},
        ),
    ] = DEFAULT_POLICY

    slot_wait_s: Annotated[
        float,
        msgspec.Meta(
            description="Clients that ask where to connect get slots, as fast as nodes report that they can accept "
            "clients. Each client is told how long to wait, up to this time; further clients get 503 with the time to "
            "ask again. 0: no client waits.",
            ge=0,
            le=TICKET_WAIT_S_MAX,
            extra={"unit": "s"},
        ),
    ] = 30.0
    slot_hold_s: Annotated[
        float,
        msgspec.Meta(
            description="A WebSocket to be proxied waits in the same queue with its connection open, up to this time; "
            "further ones get 503. Below `handshake_deadline_s`.",
            ge=0,
            le=60,
            extra={"unit": "s"},
        ),
    ] = 2.0
    reconnect_window: Annotated[
        bool,
        msgspec.Meta(
            description="Tell clients with each answer over how long to spread their return if their node dies, so "
            "that the other nodes can accept them."
        ),
    ] = True
    connect_deadline_s: Annotated[
        float,
        msgspec.Meta(
            description="A node must accept the TCP (and TLS) connection in this time; otherwise the next node is "
            "tried.",
            gt=0,
            le=60,
            extra={"unit": "s"},
        ),
    ] = 2.0
    answer_deadline_s: Annotated[
        float,
        msgspec.Meta(
            description="A node must answer the handshake in this time; otherwise the next node is tried.",
            gt=0,
            le=60,
            extra={"unit": "s"},
        ),
    ] = 5.0
    refusal_bytes_max: Annotated[
        int,
        msgspec.Meta(
            description="If a node or backend refuses, so much of the body of its answer is passed to the client.",
            ge=0,
            le=1024 * 1024,
            extra={"unit": "bytes"},
        ),
    ] = 64 * 1024
    handshake_deadline_s: Annotated[
        float,
        msgspec.Meta(
            description="Time for all tries of one upgrade together; below the patience of common clients (10 s).",
            gt=0,
            le=120,
            extra={"unit": "s"},
        ),
    ] = 8.0

    close_answer_s: Annotated[
        float,
        msgspec.Meta(
            description="After a close frame or the end of one direction, the other direction must end in this time.",
            gt=0,
            le=3600,
            extra={"unit": "s"},
        ),
    ] = 30.0
    linger_s: Annotated[
        float,
        msgspec.Meta(
            description="After close frames both ways, or a close frame of ours, the TCP connections must end in this "
            "time.",
            gt=0,
            le=60,
            extra={"unit": "s"},
        ),
    ] = 2.0
    farewell_s: Annotated[
        float,
        msgspec.Meta(
            description="After a node has left in order, it has this long to send its close frames on proxied "
            "connections.",
            ge=0,
            le=60,
            extra={"unit": "s"},
        ),
    ] = 3.0
    stop_deadline_s: Annotated[
        float,
        msgspec.Meta(
            description="On shutdown, proxied connections get 1012, and have this long to end.",
            ge=0,
            le=600,
            extra={"unit": "s"},
        ),
    ] = 5.0

    move_deadline_s: Annotated[
        float,
        msgspec.Meta(
            description="When a node moves a proxied connection, the next node must accept it in this time; otherwise "
            "the client gets 1012. Meanwhile nothing is carried. Below the life of a ticket (10 s).",
            gt=0,
            le=60,
            extra={"unit": "s"},
        ),
    ] = 8.0
    leave_quiet_s: Annotated[
        float,
        msgspec.Meta(
            description="Backends: connections are moved at a quiet moment, so that no answer under way is lost: after "
            "both sides were silent for this time, five times as long if the client spoke last. Set it longer than "
            "your server takes to answer.",
            gt=0,
            le=60,
            extra={"unit": "s"},
        ),
    ] = 0.5
    leave_deadline_s: Annotated[
        float,
        msgspec.Meta(
            description="Backends: a connection that is to be moved waits this long for a quiet moment, or for "
            "four fifths of the time that the drain of its backend has left, if that is less. In the last two thirds a "
            "weaker condition is enough: first that the client is silent, then that the backend spoke "
            "last. After this time the connection leaves at the end of any message. 0: at the end of any message from "
            "the start.",
            ge=0,
            le=3600,
            extra={"unit": "s"},
        ),
    ] = 30.0
    reopen_window_s: Annotated[
        float,
        msgspec.Meta(
            description="Backends: when a backend is lost, each WebSocket that is reopened elsewhere waits a random "
            "part of this time before, so that they do not all come at once.",
            ge=0,
            le=60,
            extra={"unit": "s"},
        ),
    ] = 2.0
    reopen_attempts: Annotated[
        int,
        msgspec.Meta(
            description="Backends: number of attempts to reopen a WebSocket elsewhere, with such a pause before each. "
            "Losses within half a minute count together, so that a backend that crashes with "
            "each client does not get clients for ever.",
            ge=1,
            le=100,
        ),
    ] = 5
    reopen_deadline_s: Annotated[
        float,
        msgspec.Meta(
            description="Backends: time for all attempts to reopen a WebSocket elsewhere together; then the client "
            "gets 1012.",
            gt=0,
            le=120,
            extra={"unit": "s"},
        ),
    ] = 10.0

    knock: Annotated[
        bool,
        msgspec.Meta(
            description="Before clients are sent to a node, open its `url` and have it prove that it is the node that "
            "reports. False only if gateways cannot reach the nodes: then all clients must connect directly."
        ),
    ] = True
    outlier_failures: Annotated[
        int,
        msgspec.Meta(
            description="Eject a node after so many handshakes in a row that failed there (no answer, or a refused "
            "ticket or path) and that another node opened then. 0: never.",
            ge=0,
            le=1000,
        ),
    ] = 5
    outlier_eject_s: Annotated[
        float,
        msgspec.Meta(
            description="How long a node is out the first time; then it must answer a knock. The second time twice as "
            "long, and so on.",
            gt=0,
            le=3600,
            extra={"unit": "s"},
        ),
    ] = 30.0
    outlier_eject_max_s: Annotated[
        float,
        msgspec.Meta(
            description="The longest time that a node is out. A node that is in for so long begins anew with "
            "`outlier_eject_s`.",
            gt=0,
            le=86_400,
            extra={"unit": "s"},
        ),
    ] = 300.0
    outlier_share: Annotated[
        float,
        msgspec.Meta(
            description="At most this part of the nodes is out at one time; one node in any case, but never the last.",
            ge=0,
            le=100,
            extra={"unit": "%"},
        ),
    ] = 10.0
    probe_interval_s: Annotated[
        float,
        msgspec.Meta(
            description="Policy least-response-time: if a node had no handshake in this time, a plain request measures "
            "it. 20 % jittered.",
            gt=0,
            le=3600,
            extra={"unit": "s"},
        ),
    ] = 2.0
    health_interval_s: Annotated[
        float,
        msgspec.Meta(
            description="Backends: the pause between two checks of one backend, 20 % jittered.",
            gt=0,
            le=3600,
            extra={"unit": "s"},
        ),
    ] = 2.0
    health_timeout_s: Annotated[
        float,
        msgspec.Meta(description="Backends: a check must pass in this time.", gt=0, le=60, extra={"unit": "s"}),
    ] = 1.0
    health_panic_threshold: Annotated[
        float,
        msgspec.Meta(
            description="Backends: if less than this part of their weight passes its check, all are used as if "
            "all passed (the panic threshold of Envoy, whose default is 50). 0: never, because refused clients come "
            "back, and a failing check is how a backend is taken out on purpose. 1: only if none passes.",
            ge=0,
            le=100,
            extra={"unit": "%"},
        ),
    ] = 0.0
    health_fall: Annotated[
        int,
        msgspec.Meta(
            description="Backends: a backend is excluded after so many failed checks in a row.",
            ge=1,
            le=100,
        ),
    ] = 2
    health_rise: Annotated[
        int,
        msgspec.Meta(
            description="Backends: a backend is taken back after so many passed checks in a row.",
            ge=1,
            le=100,
        ),
    ] = 1

    def __post_init__(self) -> None:
        """Raise `ConfigError` if a list or URL has no meaning, or two settings contradict each other."""
        ports = {"http": 80, "https": 443, "ws": 80, "wss": 443}
        problems = [
            *self.list_problems(), *self.auth_problems(), *self.http_problems(), *self.upstream_problems(),
        ]  # fmt: skip
        problems += url_problems("public_url", self.public_url, ports, "write https://host:port")
        if self.slot_hold_s >= self.handshake_deadline_s:
            problems.append(
                f"slot_hold_s is {self.slot_hold_s:g}, handshake_deadline_s is {self.handshake_deadline_s:g}: who is "
                "held that long is out of time; lower slot_hold_s"
            )
        if self.reopen_window_s > self.reopen_deadline_s:
            problems.append(
                f"reopen_window_s is {self.reopen_window_s:g}, reopen_deadline_s {self.reopen_deadline_s:g}; lower it"
            )
        if 0 < self.relays_max < self.address_relays_max:
            problems.append(
                f"address_relays_max is {self.address_relays_max}, relays_max {self.relays_max}; lower it, or give 0"
            )
        try:
            read_routes(self.routes)
        except ConfigError as error:
            problems += error.problems
        if problems:
            raise ConfigError(*problems)

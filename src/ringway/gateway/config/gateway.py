"""Settings of a gateway: each field with its unit, bound and reason."""

from collections.abc import Mapping
from typing import Annotated, Any

import msgspec

from ringway.core.placement.spec import DEFAULT_POLICY, parse_spec, spec_of_table
from ringway.errors import ConfigError
from ringway.gateway.config.edge import GatewayEdgeConfig
from ringway.protocol.address import url_problems
from ringway.protocol.ticket import TICKET_WAIT_S_MAX


def short_policy(table: Mapping[str, Any]) -> str:
    """Return the short form of a policy that is written as a table; raise `ConfigError` if it has no short form."""
    spec = spec_of_table(table)
    try:
        same = parse_spec(str(spec)) == spec
    except ConfigError:
        same = False
    if not same:
        raise ConfigError(f"the policy {dict(table)} has a comma in a value; write its values without")
    return str(spec)


class GatewayConfig(GatewayEdgeConfig, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The settings of one gateway."""

    policy: Annotated[
        str,
        msgspec.Meta(
            description="How a node is chosen, with options: two-choices:d=3, or as a table in TOML. `ringway policy "
            "list` lists them. Two choices stay good when reports are late. `ringway policy set` changes it "
            "for all gateways while they run.",
            extra={"table": short_policy},
        ),
    ] = DEFAULT_POLICY

    slot_wait_s: Annotated[
        float,
        msgspec.Meta(
            description="Clients that ask where to connect come one after the other, as fast as nodes report to "
            "accept them: each is told how long to wait, up to this; further ones get 503 and when to ask again. "
            "0: nobody waits.",
            ge=0,
            le=TICKET_WAIT_S_MAX,
            extra={"unit": "s"},
        ),
    ] = 30.0
    slot_hold_s: Annotated[
        float,
        msgspec.Meta(
            description="A WebSocket that is to be proxied waits its turn in the same queue with its connection open, "
            "up to this; further ones get 503. Below `handshake_deadline_s`.",
            ge=0,
            le=60,
            extra={"unit": "s"},
        ),
    ] = 2.0
    reconnect_window: Annotated[
        bool,
        msgspec.Meta(
            description="Tell clients, with each answer, over how long to spread their return if their node dies, so "
            "that the other nodes can accept them."
        ),
    ] = True
    connect_deadline_s: Annotated[
        float,
        msgspec.Meta(
            description="A node must accept the TCP (and TLS) connection in this time, else another node is tried.",
            gt=0,
            le=60,
            extra={"unit": "s"},
        ),
    ] = 2.0
    answer_deadline_s: Annotated[
        float,
        msgspec.Meta(
            description="A node must answer the handshake in this time, else the next node is tried.",
            gt=0,
            le=60,
            extra={"unit": "s"},
        ),
    ] = 5.0
    refusal_bytes_max: Annotated[
        int,
        msgspec.Meta(
            description="How much of the body of a node's or backend's refusal is carried to the client.",
            ge=0,
            le=1024 * 1024,
            extra={"unit": "bytes"},
        ),
    ] = 64 * 1024
    handshake_deadline_s: Annotated[
        float,
        msgspec.Meta(
            description="All tries for one upgrade together; below the patience of common clients (10 s).",
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
            description="After close frames both ways, or one of our own, the TCP connections must end in this time.",
            gt=0,
            le=60,
            extra={"unit": "s"},
        ),
    ] = 2.0
    farewell_s: Annotated[
        float,
        msgspec.Meta(
            description="A node that left in order has this long to say goodbye on each proxied connection itself.",
            ge=0,
            le=60,
            extra={"unit": "s"},
        ),
    ] = 3.0
    stop_deadline_s: Annotated[
        float,
        msgspec.Meta(
            description="On shutdown, proxied connections are told 1012 and have this long to end.",
            ge=0,
            le=600,
            extra={"unit": "s"},
        ),
    ] = 5.0

    move_deadline_s: Annotated[
        float,
        msgspec.Meta(
            description="A node closes a proxied connection with a move: the next node must have accepted it in this "
            "time, else the client is told 1012. Meanwhile nothing is carried; below the life of a ticket (10 s).",
            gt=0,
            le=60,
            extra={"unit": "s"},
        ),
    ] = 8.0
    leave_quiet_s: Annotated[
        float,
        msgspec.Meta(
            description="Static backends with on-move=reopen: a backend that is out is left at a quiet moment, so that "
            "no answer is lost that is under way: after silence of both sides for this time, five times as long where "
            "the client spoke last. Longer than your server takes to answer.",
            gt=0,
            le=60,
            extra={"unit": "s"},
        ),
    ] = 0.5
    leave_deadline_s: Annotated[
        float,
        msgspec.Meta(
            description="Static backends with on-move=reopen: how long a quiet moment is waited for. In the last "
            "two thirds, less is enough: that the client is silent, then that the backend spoke last. After it the "
            "backend is left at the end of any message. 0: that at once.",
            ge=0,
            le=3600,
            extra={"unit": "s"},
        ),
    ] = 30.0
    reopen_window_s: Annotated[
        float,
        msgspec.Meta(
            description="Static backends with on-move=reopen: each WebSocket of a backend that is lost waits a random "
            "part of this time before it is opened elsewhere, so that they do not come in one instant.",
            ge=0,
            le=60,
            extra={"unit": "s"},
        ),
    ] = 2.0
    reopen_attempts: Annotated[
        int,
        msgspec.Meta(
            description="Static backends with on-move=reopen: how often a WebSocket is opened elsewhere, with such a "
            "pause "
            "before each attempt. "
            "Losses within half a minute count together, so that a backend that falls over each client is not fed "
            "for ever.",
            ge=1,
            le=100,
        ),
    ] = 5
    reopen_deadline_s: Annotated[
        float,
        msgspec.Meta(
            description="Static backends with on-move=reopen: all attempts together; then the client is told 1012.",
            gt=0,
            le=120,
            extra={"unit": "s"},
        ),
    ] = 10.0

    probe_interval_s: Annotated[
        float,
        msgspec.Meta(
            description="Policy least-response-time: a node without a handshake in this time is timed by a plain "
            "request. 20 % jittered.",
            gt=0,
            le=3600,
            extra={"unit": "s"},
        ),
    ] = 2.0
    health_interval_s: Annotated[
        float,
        msgspec.Meta(
            description="Static backends: pause between two checks of one backend, 20 % jittered.",
            gt=0,
            le=3600,
            extra={"unit": "s"},
        ),
    ] = 2.0
    health_timeout_s: Annotated[
        float,
        msgspec.Meta(description="Static backends: a check must pass in this time.", gt=0, le=60, extra={"unit": "s"}),
    ] = 1.0
    health_panic_threshold: Annotated[
        float,
        msgspec.Meta(
            description="Static backends: when less than this part of their weight passes its check, all are used as "
            "if they did (the panic threshold of Envoy, whose default is 50). 0: never; refused clients come back, "
            "and a failing check is how a backend is taken out on purpose. 1: when none passes.",
            ge=0,
            le=100,
            extra={"unit": "%"},
        ),
    ] = 0.0
    health_fall: Annotated[
        int,
        msgspec.Meta(description="Static backends: failed checks in a row that take a backend out.", ge=1, le=100),
    ] = 2
    health_rise: Annotated[
        int,
        msgspec.Meta(description="Static backends: passed checks in a row that take it back.", ge=1, le=100),
    ] = 1

    def __post_init__(self) -> None:
        """Raise `ConfigError` if a list or URL cannot be meant as it is, or two settings contradict each other."""
        self.check_lists()
        ports = {"http": 80, "https": 443, "ws": 80, "wss": 443}
        problems = url_problems("public_url", self.public_url, ports, "write https://host:port")
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
        if problems:
            raise ConfigError(*problems)

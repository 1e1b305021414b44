"""Settings of the sidecar, `ringway join`."""

from typing import Annotated

import msgspec

from ringway.errors import ConfigError
from ringway.protocol.address import read_url
from ringway.protocol.order import DRAIN_WITHIN_S_MAX
from ringway.protocol.registration import TTL_MAX_S, TTL_MIN_S
from ringway.protocol.weight import WEIGHT_MAX, WEIGHT_RULE, is_weight

PORTS = {"http": 80, "https": 443}


class JoinConfig(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The settings of `ringway join`, which registers a server beside it as a backend."""

    at: Annotated[
        tuple[str, ...],
        msgspec.Meta(
            description="URL of a gateway's registration port, such as http://gateway:7400. With several, the next is "
            "asked when one does not answer. Not set: the system that `ringway up` runs on this machine."
        ),
    ] = ()
    token_file: Annotated[
        str,
        msgspec.Meta(
            description="File with the token for the registration port: its first line that is no comment. It is read "
            "at each request.",
            extra={"unit": "path"},
        ),
    ] = ""
    name: Annotated[
        str,
        msgspec.Meta(
            description="Name of the backend. With several workers they are NAME-1, NAME-2, ... Not set: the name of "
            "this machine, with the port."
        ),
    ] = ""
    advertise: Annotated[
        str,
        msgspec.Meta(
            description="Host at which gateways reach the server, if it is not that of its URL here: the address of "
            "this machine or pod."
        ),
    ] = ""
    weight: Annotated[
        float, msgspec.Meta(description=f"Share of the connections: {WEIGHT_RULE}.", ge=0, le=WEIGHT_MAX)
    ] = 1.0
    group: Annotated[
        str, msgspec.Meta(description="The group of the backend, to which routes of the gateways lead.")
    ] = ""
    zone: Annotated[str, msgspec.Meta(description="Zone of the server; newcomers prefer their own.")] = ""
    check: Annotated[
        str,
        msgspec.Meta(
            description="Path of an HTTP check, such as /healthz, for the sidecar and for the gateways. Not set: a TCP "
            "connection is enough."
        ),
    ] = ""
    host: Annotated[str, msgspec.Meta(description="Host of the handshakes that the server gets.")] = ""
    on_move: Annotated[
        str,
        msgspec.Meta(description="The fate of a WebSocket that must move: auto, close, reopen or never."),
    ] = ""
    close_code: Annotated[
        int, msgspec.Meta(description="Close code for a client that is closed for a move.", ge=1000, le=4999)
    ] = 1012
    ttl_s: Annotated[
        float,
        msgspec.Meta(
            description="Lease of the registration. A server whose sidecar is silent for so long is dead.",
            ge=TTL_MIN_S,
            le=TTL_MAX_S,
            extra={"unit": "s"},
        ),
    ] = 10.0
    workers: Annotated[
        int,
        msgspec.Meta(
            description="Processes to run, each a backend on a port of its own: {port} in COMMAND, counted up from the "
            "port of the URL. One that ends is started again. 0: one for each core. 1: one process, whose end is the "
            "end of the sidecar.",
            ge=0,
            le=256,
        ),
    ] = 1
    drain_within_s: Annotated[
        float,
        msgspec.Meta(
            description="On SIGTERM connections are led away within this time, before COMMAND is told to end. Choose "
            "less than the orchestrator waits before it kills, by at least `stop_s`. 0: they are not led away.",
            ge=0,
            le=DRAIN_WITHIN_S_MAX,
            extra={"unit": "s"},
        ),
    ] = 20.0
    stop_s: Annotated[
        float,
        msgspec.Meta(
            description="Time that COMMAND has to end after its signal, before it is killed.",
            gt=0,
            le=3600,
            extra={"unit": "s"},
        ),
    ] = 8.0
    check_timeout_s: Annotated[
        float,
        msgspec.Meta(description="A check may take this long.", gt=0, le=60, extra={"unit": "s"}),
    ] = 2.0

    def __post_init__(self) -> None:
        """Raise `ConfigError` for an `at` that is no URL of a port, and for a weight that is none."""
        problems: list[str] = []
        if not is_weight(self.weight):
            problems.append(f"weight is {self.weight:g}; it must be {WEIGHT_RULE}")
        for url in self.at:
            try:
                parts = read_url(url, PORTS, "write http://host:port", "give the token by token_file")
            except ConfigError as error:
                problems += (f"at: {problem}" for problem in error.problems)
            else:
                if parts.query or parts.path.strip("/"):
                    problems.append(f"at: the URL {url!r} has a path or a query; give scheme, host and port only")
        if problems:
            raise ConfigError(*problems)

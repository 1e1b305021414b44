"""Settings of calls of clients (RPC), and what a node offers them. Namespaces of methods are as Centrifugo's."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Annotated

import msgspec

from ringway.node.config.http_api import HttpApiConfig
from ringway.rpc import RpcHandler


class RpcConfig(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The settings of calls at one node."""

    functions: Annotated[
        tuple[str, ...],
        msgspec.Meta(
            description="A function of Python that answers calls of clients (RPC): package.module:function for methods "
            "without a namespace, chat=package.module:function for the methods chat:... All nodes must have the same.",
            extra={"flag": "rpc"},
        ),
    ] = ()
    hooks: Annotated[
        tuple[str, ...],
        msgspec.Meta(
            description="A hook (`node.hooks`) that answers calls in place of a function: its name for methods without "
            "a namespace, chat=NAME for the methods chat:...",
            extra={"flag": "hook"},
        ),
    ] = ()
    allow_for_anonymous: Annotated[
        bool,
        msgspec.Meta(
            description="Anonymous clients may call, too. Off: they get error 103 (Centrifugo lets them call). An open "
            "node (`node.insecure`) lets everybody call."
        ),
    ] = False
    timeout_s: Annotated[
        float,
        msgspec.Meta(
            description="A call must be answered in this time; then the client gets error 100. Below the 5 s for which "
            "official SDKs wait for a reply.",
            gt=0,
            le=300,
            extra={"unit": "s"},
        ),
    ] = 4.0
    calls_max: Annotated[
        int,
        msgspec.Meta(
            description="Calls that are under way at this node at one time; further ones are refused with error 111 "
            "(temporary).",
            ge=1,
            le=100_000,
        ),
    ] = 1024
    calls_per_client_max: Annotated[
        int,
        msgspec.Meta(
            description="The same of one connection, so that one client does not use up what the node has for all.",
            ge=1,
            le=10_000,
        ),
    ] = 32
    threads_max: Annotated[
        int,
        msgspec.Meta(
            description="Functions without `async` that run at one time, each in a thread; further calls wait for a "
            "thread, within their deadline.",
            ge=1,
            le=10_000,
        ),
    ] = 32
    result_bytes_max: Annotated[
        int,
        msgspec.Meta(
            description="Longest result of a call; for a longer one the client gets error 106. Let the client fetch "
            "what is longer elsewhere.",
            ge=1024,
            le=16 * 1024 * 1024,
            extra={"unit": "bytes"},
        ),
    ] = 64 * 1024


@dataclass(frozen=True, slots=True)
class RpcOffer:
    """What answers calls: a handler for each namespace of methods, and their settings.

    `api` bounds what handlers call at the server API.
    """

    config: RpcConfig = field(default_factory=RpcConfig)
    handlers: Mapping[str, RpcHandler] = field(default_factory=dict)
    api: HttpApiConfig = field(default_factory=HttpApiConfig)

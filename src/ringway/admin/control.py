"""What operators ask of a gateway and tell it, over HTTP: explain, policy, moves, freeze."""

from collections.abc import Sequence
from typing import Annotated, Protocol

import msgspec
from litestar import delete, get, post, put
from litestar.handlers import HTTPRouteHandler
from litestar.params import FromQuery, JSONBody, QueryParameter

from ringway.admin.guard import guard_changes
from ringway.protocol.control import Decision, DirectiveAnswer, Explanation
from ringway.protocol.directive import ASKED_FOR
from ringway.types import NodeName


class Control(Protocol):
    """A gateway, as far as operators steer it. Wrong values raise `ConfigError`."""

    def explain(self, key: str) -> Explanation:
        """Say where a client with `key` (empty: without one) would be sent now, and why."""
        ...

    def followed(self) -> DirectiveAnswer:
        """Say which policy and which directive this gateway follows."""
        ...

    def versions(self) -> dict[NodeName, int]:
        """Return which version each gateway follows."""
        ...

    def change_policy(self, policy: str, *, moving: bool) -> DirectiveAnswer:
        """Follow another policy, and have the others follow; empty: each gateway's own setting."""
        ...

    def freeze(self, why: str) -> DirectiveAnswer:
        """Have no more moves made, for the reason `why`; with an empty one they go on."""
        ...

    async def decisions(self, count: int) -> list[Decision]:
        """Return the newest decisions of all balancers, the newest first."""
        ...


class PolicyState(msgspec.Struct, frozen=True, kw_only=True):
    """What the gateways follow."""

    gateway: NodeName  # who answers
    policy: str  # the one in force there, in its short form
    configured: str  # its own setting
    version: int  # of the directive that it follows; 0: none, each gateway follows its own setting
    moving: bool  # whether connections that the policy places elsewhere are moved there
    frozen: str  # why no moves are made; empty: they are
    versions: dict[NodeName, int]  # which version each gateway follows, by its last report
    problem: str  # why a newer directive cannot be followed


class PolicyChange(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Another policy for all gateways."""

    policy: Annotated[str, msgspec.Meta(min_length=1, description="In its short form: `rendezvous:c=1.1`")]
    move: Annotated[bool, msgspec.Meta(description="Move connections that it places elsewhere, too")] = False


class Freeze(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A stop to all moves."""

    why: Annotated[str, msgspec.Meta(max_length=200, description="Shown wherever moves are missed")] = ""


def control_routes(control: Control) -> Sequence[HTTPRouteHandler]:
    """Return the handlers by which `control` is reached."""

    def state() -> PolicyState:
        said = control.followed()
        return PolicyState(
            gateway=said.gateway,
            policy=said.policy,
            configured=said.configured,
            version=said.directive.version,
            moving=said.directive.moving,
            frozen=said.directive.frozen,
            versions=control.versions(),
            problem=said.problem,
        )

    @get("/v1/explain", sync_to_thread=False, summary="Where a client would be sent now, and why, as `ringway explain`")
    def explain(key: FromQuery[str] = "") -> Explanation:
        return control.explain(key)

    @get("/v1/policy", sync_to_thread=False, summary="The policy and what operators have decided, as `ringway policy`")
    def policy() -> PolicyState:
        return state()

    @put("/v1/policy", sync_to_thread=False, guards=[guard_changes], summary="Change the policy of all gateways")
    def change_policy(data: JSONBody[PolicyChange]) -> PolicyState:
        control.change_policy(data.policy, moving=data.move)
        return state()

    @delete(
        "/v1/policy",
        sync_to_thread=False,
        status_code=200,
        guards=[guard_changes],
        summary="Go back to the policy of each gateway's own settings; connections stay where they are",
    )
    def reset_policy() -> PolicyState:
        control.change_policy("", moving=False)
        return state()

    @get("/v1/moves", summary="What the balancers have decided, the newest first, as `ringway moves --json`")
    async def moves(count: Annotated[int, QueryParameter(ge=1, le=1000)] = 20) -> list[Decision]:
        return await control.decisions(count)

    @post("/v1/freeze", sync_to_thread=False, status_code=200, guards=[guard_changes], summary="Make no more moves")
    def freeze(data: JSONBody[Freeze]) -> PolicyState:
        control.freeze(data.why.strip() or ASKED_FOR)
        return state()

    @delete("/v1/freeze", sync_to_thread=False, status_code=200, guards=[guard_changes], summary="Make moves again")
    def unfreeze() -> PolicyState:
        control.freeze("")
        return state()

    return [explain, policy, change_policy, reset_policy, moves, freeze, unfreeze]

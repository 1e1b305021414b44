"""Control of a gateway by operators, over HTTP: explain, policy, moves, freeze."""

from collections.abc import Sequence
from typing import Annotated, Protocol

import msgspec

from ringway.admin.guard import guard_changes
from ringway.admin.operation import Operation, QueryParameter
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


def control_operations(control: Control) -> Sequence[Operation]:
    """Return the operations by which `control` is reached."""
    explain = Operation(
        "GET",
        "/v1/explain",
        "explain",
        "Where a client would be sent now, and why, as `ringway explain`",
        control.explain,
        Explanation,
        parameters=(QueryParameter("key", str, ""),),
    )
    moves = Operation(
        "GET",
        "/v1/moves",
        "moves",
        "What the balancers have decided, the newest first, as `ringway moves --json`",
        control.decisions,
        list[Decision],
        parameters=(QueryParameter("count", Annotated[int, msgspec.Meta(ge=1, le=1000)], 20),),
    )
    return [explain, *_policy_operations(control), moves, *_freeze_operations(control)]


def _policy_operations(control: Control) -> Sequence[Operation]:
    def change_policy(data: PolicyChange) -> PolicyState:
        control.change_policy(data.policy, moving=data.move)
        return _state(control)

    def reset_policy() -> PolicyState:
        control.change_policy("", moving=False)
        return _state(control)

    return [
        Operation(
            "GET",
            "/v1/policy",
            "policy",
            "The policy and what operators have decided, as `ringway policy`",
            lambda: _state(control),
            PolicyState,
        ),
        Operation(
            "PUT",
            "/v1/policy",
            "change_policy",
            "Change the policy of all gateways",
            change_policy,
            PolicyState,
            body=PolicyChange,
            guards=(guard_changes,),
        ),
        Operation(
            "DELETE",
            "/v1/policy",
            "reset_policy",
            "Go back to the policy of each gateway's own settings; connections stay where they are",
            reset_policy,
            PolicyState,
            guards=(guard_changes,),
        ),
    ]


def _freeze_operations(control: Control) -> Sequence[Operation]:
    def freeze(data: Freeze) -> PolicyState:
        control.freeze(data.why.strip() or ASKED_FOR)
        return _state(control)

    def unfreeze() -> PolicyState:
        control.freeze("")
        return _state(control)

    path, guards = "/v1/freeze", (guard_changes,)
    return [
        Operation("POST", path, "freeze", "Make no more moves", freeze, PolicyState, body=Freeze, guards=guards),
        Operation("DELETE", path, "unfreeze", "Make moves again", unfreeze, PolicyState, guards=guards),
    ]


def _state(control: Control) -> PolicyState:
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

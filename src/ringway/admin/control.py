"""Control of a gateway by operators, over HTTP: explain, policy, moves, freeze."""

from collections.abc import Sequence
from typing import Annotated, Protocol

import msgspec

from ringway.api.guard import guard_changes
from ringway.api.operation import Operation, QueryParameter
from ringway.protocol.control import Decision, DirectiveAnswer, Explanation, GroupPolicy
from ringway.protocol.directive import ASKED_FOR
from ringway.protocol.order import DRAIN_WITHIN_S_MAX, DrainAnswer, PlanAnswer
from ringway.types import NodeName


class NodeActions(Protocol):
    """The part of a gateway that operators ask about nodes. Wrong values and refusals raise `ConfigError`."""

    async def drain(self, name: str, within_s: float, *, force: bool) -> DrainAnswer:
        """Drain a node, within `within_s` seconds if that is above 0."""
        ...

    async def undrain(self, name: str) -> None:
        """Let a node get newcomers again."""
        ...

    async def rebalance(self, *, dry_run: bool, group: str = "") -> PlanAnswer:
        """Balance `group` (empty: all groups) now, also inside the dead band; with `dry_run` only return the plan."""
        ...


class Control(Protocol):
    """The part of a gateway that operators steer. Wrong values raise `ConfigError`."""

    @property
    def nodes(self) -> NodeActions:
        """The part that drains nodes, and balances."""
        ...

    def explain(self, key: str, group: str = "", host: str = "", path: str = "") -> Explanation:
        """Return the node to which a client with `key` (empty: no key) would be sent now, and why.

        The client comes to `group`, or else to the group to which the routes lead from `host` and `path`.
        """
        ...

    def followed(self) -> DirectiveAnswer:
        """Return the policy and the directive that this gateway follows."""
        ...

    def versions(self) -> dict[NodeName, int]:
        """Return the version of the directive that each gateway follows."""
        ...

    def change_policy(self, policy: str, *, moving: bool, group: str = "") -> DirectiveAnswer:
        """Follow a new policy in `group` (empty: in all), and send it to the other gateways; empty: each gateway's own
        setting.
        """
        ...

    def freeze(self, why: str, group: str = "") -> DirectiveAnswer:
        """Stop the moves of `group` (empty: all moves) for the reason `why`; an empty reason starts them again."""
        ...

    async def decisions(self, count: int) -> list[Decision]:
        """Return the newest decisions of all balancers, the newest first."""
        ...


class PolicyState(msgspec.Struct, frozen=True, kw_only=True):
    """The policy and the directive that the gateways follow."""

    gateway: NodeName  # the gateway that answers
    policy: str  # the policy in force at this gateway, in its short form
    configured: str  # the policy in its own settings
    version: int  # of the directive that it follows; 0: no directive, each gateway follows its own setting
    moving: bool  # true if connections that the policy places elsewhere are moved
    frozen: str  # why no moves are made; empty: moves are made
    versions: dict[NodeName, int]  # the version that each gateway follows, by its last report
    problem: str  # why a newer directive cannot be followed
    groups: tuple[GroupPolicy, ...]  # each group that this gateway knows; the fields above are those for all groups


class PolicyChange(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A new policy for all gateways."""

    policy: Annotated[str, msgspec.Meta(min_length=1, description="In its short form: `rendezvous:c=1.1`")]
    move: Annotated[bool, msgspec.Meta(description="Move connections that it places elsewhere, too")] = False
    group: Annotated[str, msgspec.Meta(description="Only this group; empty: all")] = ""


class Freeze(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A stop to all moves."""

    why: Annotated[str, msgspec.Meta(max_length=200, description="Shown wherever moves are missed")] = ""
    group: Annotated[str, msgspec.Meta(description="Only this group; empty: all")] = ""


class DrainChange(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A drain of one node."""

    within_s: Annotated[float, msgspec.Meta(ge=0, le=DRAIN_WITHIN_S_MAX, description="Deadline; 0: none")] = 0.0
    force: Annotated[bool, msgspec.Meta(description="Try a deadline that cannot be met")] = False


class Undrained(msgspec.Struct, frozen=True, kw_only=True):
    """A node that gets newcomers again."""

    node: str


class BalanceChange(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A balance at once."""

    dry_run: Annotated[bool, msgspec.Meta(description="Only return the plan")] = False
    group: Annotated[str, msgspec.Meta(description="Only this group; empty: all")] = ""


def control_operations(control: Control) -> Sequence[Operation]:
    """Return the operations that steer `control`."""
    explain = Operation(
        "GET",
        "/v1/explain",
        "explain",
        "Where a client would be sent now, and why, as `ringway explain`",
        control.explain,
        Explanation,
        parameters=tuple(QueryParameter(name, str, "") for name in ("key", "group", "host", "path")),
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
    return [
        explain,
        *_policy_operations(control),
        moves,
        *_freeze_operations(control),
        *_node_operations(control.nodes),
    ]


_GROUP = QueryParameter("group", Annotated[str, msgspec.Meta(description="Only this group; empty: all")], "")


def _policy_operations(control: Control) -> Sequence[Operation]:
    def change_policy(data: PolicyChange) -> PolicyState:
        control.change_policy(data.policy, moving=data.move, group=data.group)
        return _state(control)

    def reset_policy(group: str) -> PolicyState:
        control.change_policy("", moving=False, group=group)
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
            parameters=(_GROUP,),
            guards=(guard_changes,),
        ),
    ]


def _freeze_operations(control: Control) -> Sequence[Operation]:
    def freeze(data: Freeze) -> PolicyState:
        control.freeze(data.why.strip() or ASKED_FOR, data.group)
        return _state(control)

    def unfreeze(group: str) -> PolicyState:
        control.freeze("", group)
        return _state(control)

    path, guards = "/v1/freeze", (guard_changes,)
    return [
        Operation(
            "POST",
            path,
            "freeze",
            "Make no more moves",
            freeze,
            PolicyState,
            body=Freeze,
            body_optional=True,
            guards=guards,
        ),
        Operation(
            "DELETE", path, "unfreeze", "Make moves again", unfreeze, PolicyState, parameters=(_GROUP,), guards=guards
        ),
    ]


def _node_operations(nodes: NodeActions) -> Sequence[Operation]:
    async def drain(name: str, data: DrainChange) -> DrainAnswer:
        return await nodes.drain(name, data.within_s, force=data.force)

    async def undrain(name: str) -> Undrained:
        await nodes.undrain(name)
        return Undrained(node=name)

    async def rebalance(data: BalanceChange) -> PlanAnswer:
        return await nodes.rebalance(dry_run=data.dry_run, group=data.group)

    path, guards = "/v1/nodes/{name}/drain", (guard_changes,)
    return [
        Operation(
            "POST", path, "drain", "Empty a node, as `ringway drain`", drain, DrainAnswer,
            body=DrainChange, body_optional=True, guards=guards,
        ),
        Operation(
            "DELETE", path, "undrain", "Take a node back, as `ringway undrain`", undrain, Undrained, guards=guards
        ),
        Operation(
            "POST", "/v1/rebalance", "rebalance", "Balance now, as `ringway rebalance`", rebalance, PlanAnswer,
            body=BalanceChange, body_optional=True, guards=guards,
        ),
    ]  # fmt: skip


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
        groups=said.groups,
    )

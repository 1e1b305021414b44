"""Directives: operators' decisions for the whole cluster at run time (PROTOCOL.md P-8.8).

A directive travels in the gateways' reports. Each gateway follows the newest directive that it has received, and passes
it on. A directive is not stored: it lives as long as a gateway that has received it.
"""

from collections.abc import Mapping

import msgspec

ASKED_FOR = "asked for by an operator"
"""The reason for frozen moves, if none is given."""


BY_OPERATOR = "an operator has frozen it: "
"""The beginning of the reason for frozen moves, if an operator has frozen them."""


class GroupDecision(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """The decisions for one group; None: the group follows the decision for all groups."""

    group: str
    policy: str | None = None
    moving: bool | None = None
    frozen: str | None = None

    @property
    def decides(self) -> bool:
        """True if anything is decided for this group alone."""
        return not (self.policy is None and self.moving is None and self.frozen is None)


class Directive(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """One decision of an operator. `version` grows by one with each; 0 is a gateway's own configuration.

    What is decided for all groups also ends earlier decisions of its kind for single groups.
    """

    version: int = 0
    policy: str = ""  # short form; empty: each gateway's own setting
    moving: bool = True  # False: connections stay, even if the policy would place them elsewhere
    frozen: str = ""  # the reason why moves are frozen; empty: they are not
    groups: tuple[GroupDecision, ...] = ()  # the decisions for single groups, in the order of the groups' names

    def newer_than(self, other: "Directive") -> bool:
        """True if this directive is to be followed instead of `other`. All members choose the same of two versions."""
        if self.version != other.version:
            return self.version > other.version
        return (self.policy, self.moving, self.frozen, _encode(self.groups)) > (
            other.policy, other.moving, other.frozen, _encode(other.groups),
        )  # fmt: skip

    def of(self, group: str) -> "Directive":
        """Return what `group` follows: its own decisions, and where it has none, those for all groups."""
        own = self._own(group)
        return Directive(
            version=self.version,
            policy=self.policy if own.policy is None else own.policy,
            moving=self.moving if own.moving is None else own.moving,
            frozen=self.frozen if own.frozen is None else own.frozen,
        )

    def decides_for(self, group: str) -> bool:
        """True if anything is decided for `group` alone."""
        return self._own(group).decides

    def freezes(self, group: str = "") -> bool:
        """True if moves of `group` (empty: of any group) are frozen."""
        if group:
            return bool(self.of(group).frozen)
        return bool(self.frozen) or any(each.frozen for each in self.groups)

    def with_policy(self, policy: str, *, moving: bool, group: str = "") -> "Directive":
        """Return the next directive, with `policy` (empty: each gateway's own setting) for `group` (empty: for all)."""
        if group:
            return self._with_own(group, policy=policy, moving=moving)
        return self._for_all({"policy": policy, "moving": moving})

    def with_moves(self, group: str = "") -> "Directive":
        """Return the next directive, by which connections of `group` (empty: of all) are moved to where they belong;
        this one if they are already.
        """
        if group:
            return self if self.of(group).moving else self._with_own(group, moving=True)
        is_so = self.moving and all(each.moving is not False for each in self.groups)
        return self if is_so else self._for_all({"moving": True})

    def with_frozen(self, why: str, group: str = "") -> "Directive":
        """Return the next directive, with moves of `group` (empty: of all) frozen for the reason `why`; with an empty
        reason they go on.
        """
        return self._with_own(group, frozen=why) if group else self._for_all({"frozen": why})

    def _own(self, group: str) -> GroupDecision:
        return next((each for each in self.groups if each.group == group), GroupDecision(group=group))

    def _with_own(self, group: str, **decided: str | bool) -> "Directive":
        others = [each for each in self.groups if each.group != group]
        own = msgspec.structs.replace(self._own(group), **decided)
        groups = tuple(sorted([*others, own], key=lambda each: each.group))
        return msgspec.structs.replace(self, version=self.version + 1, groups=groups)

    def _for_all(self, decided: Mapping[str, str | bool]) -> "Directive":
        ended = [msgspec.structs.replace(each, **dict.fromkeys(decided)) for each in self.groups]
        groups = tuple(each for each in ended if each.decides)
        return msgspec.structs.replace(self, version=self.version + 1, groups=groups, **decided)


_encode = msgspec.json.Encoder().encode

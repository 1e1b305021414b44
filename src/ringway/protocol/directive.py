"""Directives: what operators decide for the whole cluster at run time (PROTOCOL.md P-8.5).

A directive travels in the gateways' reports. Each gateway follows the newest it has heard, and tells it on: it is
stored nowhere, and lives as long as one gateway that knows it.
"""

import msgspec

ASKED_FOR = "asked for by an operator"
"""Why moves are frozen, if no reason is given."""


class Directive(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """One decision of an operator. `version` grows by one with each; 0 is a gateway's own configuration."""

    version: int = 0
    policy: str = ""  # short form; empty: each gateway's own setting
    moving: bool = True  # whether connections that the policy places elsewhere are moved there; False: they stay
    frozen: str = ""  # why no moves are made; empty: they are

    def newer_than(self, other: "Directive") -> bool:
        """True if this one is to be followed instead of `other`. Of two of one version, all choose the same."""
        return (self.version, self.policy, self.moving, self.frozen) > (
            other.version, other.policy, other.moving, other.frozen,
        )  # fmt: skip

    def with_policy(self, policy: str, *, moving: bool) -> "Directive":
        """Return the next one, with another policy (empty: each gateway's own setting)."""
        return msgspec.structs.replace(self, version=self.version + 1, policy=policy, moving=moving)

    def with_frozen(self, why: str) -> "Directive":
        """Return the next one, with moves frozen for the reason `why`; with an empty one they go on."""
        return msgspec.structs.replace(self, version=self.version + 1, frozen=why)

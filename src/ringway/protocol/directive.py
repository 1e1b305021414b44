"""Directives: operators' decisions for the whole cluster at run time (PROTOCOL.md P-8.8).

A directive travels in the gateways' reports. Each gateway follows the newest directive that it has received, and passes
it on. A directive is not stored: it lives as long as a gateway that has received it.
"""

import msgspec

ASKED_FOR = "asked for by an operator"
"""The reason for frozen moves, if none is given."""


class Directive(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """One decision of an operator. `version` grows by one with each; 0 is a gateway's own configuration."""

    version: int = 0
    policy: str = ""  # short form; empty: each gateway's own setting
    moving: bool = True  # False: connections stay, even if the policy would place them elsewhere
    frozen: str = ""  # the reason why moves are frozen; empty: they are not

    def newer_than(self, other: "Directive") -> bool:
        """True if this directive is to be followed instead of `other`. All members choose the same of two versions."""
        return (self.version, self.policy, self.moving, self.frozen) > (
            other.version, other.policy, other.moving, other.frozen,
        )  # fmt: skip

    def with_policy(self, policy: str, *, moving: bool) -> "Directive":
        """Return the next directive, with the policy `policy` (empty: each gateway's own setting)."""
        return msgspec.structs.replace(self, version=self.version + 1, policy=policy, moving=moving)

    def with_frozen(self, why: str) -> "Directive":
        """Return the next directive, with moves frozen for the reason `why`; with an empty reason they go on."""
        return msgspec.structs.replace(self, version=self.version + 1, frozen=why)

"""Steering of a gateway: its policy, the key that this reads, and the directive. All may change while it runs.

The gateway's placer and its balancer share one instance, so that they never work by different policies. Changing the
policy loses nothing: load belongs to the view.
"""

from ringway.core.placement.catalog import make_policy
from ringway.core.placement.key import DEFAULT_KEY, KeyReader
from ringway.core.placement.keyed import Keyed
from ringway.core.placement.policy import Policy
from ringway.core.placement.spec import PolicySpec, parse_spec
from ringway.errors import ConfigError
from ringway.protocol.directive import Directive


class Steering:
    """The steering of one gateway. `configured` is the policy of the gateway's own settings, in its short form.

    `keys` reads clients' keys as the policy in force needs them. Raise `ConfigError` if there is no such policy.
    """

    def __init__(self, configured: str, secret: bytes) -> None:
        self.configured: PolicySpec = parse_spec(configured)
        self._secret = secret
        self.directive = Directive()
        self.spec = self.configured
        self.policy: Policy = make_policy(self.spec, secret)
        self.keys = _keys(self.policy, secret)

    def follow(self, directive: Directive) -> bool:
        """Follow `directive` if it is newer than the present one; return True if it is.

        Raise `ConfigError`, changing nothing, if its policy cannot be made here.
        """
        if not directive.newer_than(self.directive):
            return False
        spec = parse_spec(directive.policy) if directive.policy else self.configured
        self._check_call(spec)
        if spec != self.spec:
            policy = make_policy(spec, self._secret)
            self.keys = _keys(policy, self._secret)
            self.policy = policy
            self.spec = spec
        self.directive = directive
        return True

    def _check_call(self, spec: PolicySpec) -> None:
        """Refuse code that only a directive names: who may send a directive must not choose the code that runs here.

        Raise `ConfigError` for a function named by its module, unless the gateway's own setting names it.
        """
        call = dict(spec.given).get("call", "")
        if ":" in call and call != dict(self.configured.given).get("call"):
            raise ConfigError(
                f"the function {call!r} can be named only in the gateway's own setting, since it runs in the gateway; "
                "install it as an entry point of the group ringway.policies, and give the entry point's name"
            )


def _keys(policy: Policy, secret: bytes) -> KeyReader:
    """How keys are read for `policy`: those without a table take the client's own, for whatever follows them."""
    return KeyReader(policy.key_text if isinstance(policy, Keyed) else DEFAULT_KEY, secret)

"""What steers a gateway: its policy, and the directive that it follows. Both can change while it runs.

The gateway's placer and its balancer share one instance, so that they never work by different policies. Changing the
policy loses nothing: load belongs to the view.
"""

from ringway.core.placement import Policy, Spec, make_policy, parse_spec
from ringway.protocol.directive import Directive


class Steering:
    """See the module. `configured` is the policy of the gateway's own settings, in its short form.

    Raise `ConfigError` where there is no such policy.
    """

    def __init__(self, configured: str, secret: bytes) -> None:
        self._configured = configured
        self._secret = secret
        self.directive = Directive()
        self.spec: Spec = parse_spec(configured)
        self.policy: Policy = make_policy(self.spec, secret)

    def follow(self, directive: Directive) -> bool:
        """Follow `directive` if it is newer than the present one; return whether it is.

        Raise `ConfigError`, changing nothing, where its policy cannot be made here.
        """
        if not directive.newer_than(self.directive):
            return False
        spec = parse_spec(directive.policy or self._configured)
        if spec != self.spec:
            self.policy = make_policy(spec, self._secret)
            self.spec = spec
        self.directive = directive
        return True

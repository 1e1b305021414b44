"""Steering of a gateway: its policy, the key that the policy reads, and the directive. All may change at run time.

The gateway's placer and its balancer share one instance, so that they never use different policies. A change of policy
loses no state: the load belongs to the view.
"""

from ringway.core.load import LoadView
from ringway.core.placement.catalog import make_policy
from ringway.core.placement.key import DEFAULT_KEY, KeyReader
from ringway.core.placement.keyed import Keyed
from ringway.core.placement.policy import Policy
from ringway.core.placement.score import FindFunction, refuse_function
from ringway.core.placement.spec import PolicySpec, parse_spec
from ringway.errors import ConfigError
from ringway.protocol.directive import Directive


class Steering:
    """The steering of one group at one gateway. `configured` is its policy by its own settings, in short form;
    `group` is its name, by which it finds the decisions for it alone (empty: it has none).

    `directive` is the whole directive that it follows, `decided` the part of it that concerns the group. `keys` reads
    clients' keys for the policy in force. `find_function` finds the function that the policy `score` calls. Raise
    `ConfigError` if there is no such policy.
    """

    def __init__(
        self, configured: str, secret: bytes, find_function: FindFunction = refuse_function, group: str = ""
    ) -> None:
        self.configured: PolicySpec = parse_spec(configured)
        self._secret = secret
        self._find_function = find_function
        self._group = group
        self.directive = Directive()
        self.decided = Directive()
        self.spec = self.configured
        self.policy: Policy = make_policy(self.spec, secret, find_function)
        self.keys = _keys(self.policy, secret)

    def follow(self, directive: Directive) -> bool:
        """Follow `directive` if it is newer than the present one; return True if it is.

        Raise `ConfigError`, changing nothing, if its policy cannot be made here.
        """
        if not directive.newer_than(self.directive):
            return False
        spec = self._spec_of(directive)
        if spec != self.spec:
            policy = make_policy(spec, self._secret, self._find_function)
            self.keys = _keys(policy, self._secret)
            self.policy = policy
            self.spec = spec
        self.directive = directive
        self.decided = directive.of(self._group)
        return True

    def check(self, directive: Directive) -> None:
        """Raise `ConfigError` if the policy of `directive` cannot be made here."""
        spec = self._spec_of(directive)
        if spec != self.spec:
            make_policy(spec, self._secret, self._find_function)

    def prepare(self, view: LoadView) -> bool:
        """Do a few milliseconds of what the policy has left to do for `view`; return True if there is more."""
        return isinstance(self.policy, Keyed) and self.policy.prepare(view)

    def _spec_of(self, directive: Directive) -> PolicySpec:
        policy = directive.of(self._group).policy
        spec = parse_spec(policy) if policy else self.configured
        self._check_call(spec)
        return spec

    def _check_call(self, spec: PolicySpec) -> None:
        """Refuse code that only a directive names: the sender of a directive must not choose the code that runs here.

        Raise `ConfigError` for a function named by its module, unless the gateway's own setting names it.
        """
        call = dict(spec.given).get("call", "")
        if ":" in call and call != dict(self.configured.given).get("call"):
            raise ConfigError(
                f"the function {call!r} can be named only in the gateway's own setting, since it runs in the gateway; "
                "install it as an entry point of the group ringway.policies, and give the entry point's name"
            )


def _keys(policy: Policy, secret: bytes) -> KeyReader:
    """Return the reader of keys for `policy`; the client's own key for a policy without a table, for later policies."""
    return KeyReader(policy.key_text if isinstance(policy, Keyed) else DEFAULT_KEY, secret)

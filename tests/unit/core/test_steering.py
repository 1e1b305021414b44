"""Which directive is followed, and what becomes of the policy."""

import itertools

import pytest

from ringway.core.placement.score import ScoreFunction
from ringway.core.placement.spec import DEFAULT_POLICY
from ringway.core.steering import Steering
from ringway.errors import ConfigError
from ringway.protocol.directive import Directive
from sample import fullness


def test_a_gateway_begins_with_its_own_setting() -> None:
    steering = Steering("ring", b"")
    assert (str(steering.spec), steering.policy.name, steering.directive) == ("ring", "ring", Directive())


def test_a_setting_that_names_no_policy_is_refused() -> None:
    with pytest.raises(ConfigError, match="'fastest' is unknown"):
        Steering("fastest", b"")


def test_only_newer_directives_are_followed() -> None:
    steering = Steering(DEFAULT_POLICY, b"")
    second = Directive(version=2, policy="ring")
    assert steering.follow(second)
    assert steering.policy.name == "ring"
    assert not steering.follow(second)
    assert not steering.follow(Directive(version=1, policy="round-robin"))
    assert (steering.policy.name, steering.directive) == ("ring", second)


def test_of_one_version_all_follow_the_same_in_whatever_order_they_hear_them() -> None:
    rivals = [
        Directive(version=3, policy="ring"),
        Directive(version=3, policy="round-robin"),
        Directive(version=3, policy="round-robin", frozen="deploy"),
    ]
    ends = set()
    for order in itertools.permutations(rivals):
        steering = Steering(DEFAULT_POLICY, b"")
        for directive in order:
            steering.follow(directive)
        ends.add((steering.policy.name, steering.directive.frozen))
    assert ends == {("round-robin", "deploy")}


def test_the_policy_is_kept_with_what_it_has_learnt_while_only_other_things_change() -> None:
    steering = Steering("round-robin", b"")
    policy = steering.policy
    assert steering.follow(Directive(version=1, frozen="deploy"))
    assert steering.follow(Directive(version=2, policy="round-robin"))
    assert steering.policy is policy


def test_a_directive_without_a_policy_leads_back_to_the_own_setting() -> None:
    steering = Steering("ring", b"")
    steering.follow(Directive(version=1, policy="round-robin"))
    steering.follow(steering.directive.with_policy("", moving=False))
    assert (str(steering.spec), steering.directive.version, steering.directive.moving) == ("ring", 2, False)


def test_what_cannot_be_made_changes_nothing() -> None:
    steering = Steering("ring", b"")
    with pytest.raises(ConfigError):
        steering.follow(Directive(version=1, policy="fastest", frozen="x"))
    assert (str(steering.spec), steering.directive) == ("ring", Directive())


def test_freezing_keeps_the_policy_and_changing_it_keeps_the_freeze() -> None:
    frozen = Directive().with_policy("ring", moving=True).with_frozen("deploy")
    assert frozen == Directive(version=2, policy="ring", frozen="deploy")
    assert frozen.with_policy("round-robin", moving=False).frozen == "deploy"
    assert frozen.with_frozen("").frozen == ""


def test_keys_are_read_as_the_policy_in_force_wants_them() -> None:
    steering = Steering("two-choices", b"secret")
    assert steering.keys.plain
    steering.follow(Directive(version=1, policy="ring:key=cookie.session"))
    assert not steering.keys.plain
    assert steering.keys.spec.text == "cookie.session"
    with pytest.raises(ConfigError, match=r"query\.NAME"):
        steering.follow(Directive(version=2, policy="ring:key=bread"))
    assert (steering.keys.spec.text, steering.directive.version) == ("cookie.session", 1)
    steering.follow(Directive(version=3, policy="round-robin"))
    assert steering.keys.plain


def test_no_directive_chooses_the_code_that_runs_here() -> None:
    def find_function(call: str) -> ScoreFunction:
        if call != "os:getcwd":
            raise ConfigError(f"{call!r} is no entry point")
        return fullness

    steering = Steering("two-choices", b"", find_function)
    for call in ("os:getcwd", "nowhere:function"):
        with pytest.raises(ConfigError, match="can be named only in the gateway's own setting"):
            steering.follow(Directive(version=1, policy=f"score:call={call}"))
    with pytest.raises(ConfigError, match="is no entry point"):
        steering.follow(Directive(version=1, policy="score:call=not-installed"))
    assert steering.policy.name == "two-choices"
    own = Steering("score:call=os:getcwd", b"", find_function)
    own.follow(Directive(version=1, policy="ring"))
    assert own.follow(Directive(version=2, policy="score:call=os:getcwd,d=3"))
    assert own.policy.name == "score"

"""Directives: the order of two, and decisions for one group beside those for all."""

import msgspec

from ringway.protocol.directive import Directive, GroupDecision


def test_a_group_follows_its_own_decisions_and_otherwise_those_for_all() -> None:
    directive = Directive(version=1, policy="ring", frozen="a deploy").with_policy("maglev", moving=False, group="chat")
    assert directive.version == 2
    assert directive.of("feed") == Directive(version=2, policy="ring", frozen="a deploy")
    assert directive.of("chat") == Directive(version=2, policy="maglev", moving=False, frozen="a deploy")
    assert directive.with_frozen("", "chat").of("chat").frozen == ""
    assert directive.with_frozen("", "chat").of("feed").frozen == "a deploy"
    assert directive.with_moves("chat").of("chat").moving is True
    assert directive.with_moves("feed") is directive


def test_one_group_may_follow_the_gateways_own_setting_while_all_others_do_not() -> None:
    directive = Directive(version=1, policy="ring").with_policy("", moving=False, group="chat")
    assert (directive.of("chat").policy, directive.of("feed").policy) == ("", "ring")


def test_a_decision_for_all_ends_those_of_its_kind_for_single_groups() -> None:
    own = Directive().with_policy("maglev", moving=False, group="chat").with_frozen("a test", "chat")
    policy = own.with_policy("ring", moving=True)
    assert policy.of("chat") == Directive(version=3, policy="ring", frozen="a test")
    assert own.with_frozen("").of("chat") == Directive(version=3, policy="maglev", moving=False)
    assert own.with_moves().of("chat") == Directive(version=3, policy="maglev", frozen="a test")
    assert policy.with_frozen("").groups == ()
    assert (own.decides_for("chat"), own.decides_for("feed")) == (True, False)


def test_groups_stand_in_the_order_of_their_names_whatever_was_decided_first() -> None:
    one = Directive().with_frozen("x", "b").with_frozen("y", "a")
    other = Directive().with_frozen("y", "a").with_frozen("x", "b")
    assert one == other
    assert not one.newer_than(other)


def test_of_two_of_one_version_all_choose_the_same() -> None:
    plain = Directive(version=2)
    chat, feed = (Directive(version=2, groups=(GroupDecision(group=name, frozen=""),)) for name in ("chat", "feed"))
    for one, other in ((plain, chat), (chat, feed), (plain, feed)):
        assert (other.newer_than(one), one.newer_than(other)) == (True, False)
    assert Directive(version=3).newer_than(feed)


def test_without_decisions_for_groups_a_directive_is_written_as_before() -> None:
    frozen = Directive(version=4, frozen="a deploy")
    assert msgspec.json.encode(frozen) == b'{"version":4,"frozen":"a deploy"}'
    own = frozen.with_frozen("", "chat")
    assert msgspec.json.decode(msgspec.json.encode(own), type=Directive) == own


def test_it_says_if_anything_is_frozen() -> None:
    assert not Directive().freezes()
    frozen = Directive().with_frozen("x", "chat")
    assert (frozen.freezes(), frozen.freezes("chat"), frozen.freezes("feed")) == (True, True, False)
    everything = Directive().with_frozen("x")
    assert (everything.freezes(), everything.freezes("chat")) == (True, True)
    assert not everything.with_frozen("").freezes()

"""Deciding for all gateways: who follows, who refuses, and what two operators at one moment get."""

import asyncio
import random

import pytest

from ringway.cli import steer
from ringway.cli.steer import Gateways, newest_of
from ringway.core.group import Groups
from ringway.core.steering import Steering
from ringway.engine.memory.engine import MemoryHub
from ringway.errors import ConfigError, RingwayError
from ringway.gateway.cluster.control import GatewayControl
from ringway.gateway.cluster.directory import Directory
from ringway.member.feed import Feed
from ringway.protocol.control import DirectiveAnswer, Explain, Explanation
from ringway.protocol.directive import Directive
from ringway.types import Issuer, NodeName
from sample import gateway_report


class Stubborn(Steering):
    """The steering of a gateway that knows one policy only."""

    def follow(self, directive: Directive) -> bool:
        if directive.policy == "ring":
            raise steer.ConfigError("the policy 'ring' is unknown; choose one of two-choices")
        return super().follow(directive)


@pytest.fixture
async def hub() -> MemoryHub:
    return MemoryHub()


@pytest.fixture
def serve(hub):
    """Lets gateways answer; returns how operators reach them. They hear no reports, so nothing is told on."""

    async def serve(*steerings: Steering, silent: int = 0) -> Gateways:
        members = Feed()
        for number in range(len(steerings) + silent):
            report = gateway_report(f"gateway-{number + 1}")
            members.add_report(report)
        for number, steering in enumerate(steerings):
            name = NodeName(f"gateway-{number + 1}")
            issuer = Issuer(f"{number:08x}")
            directory = Directory(issuer, groups=Groups(issuer, lambda name, steering=steering: steering))
            await GatewayControl(name, directory, random.Random(1), hub.open()).serve()
        return Gateways(hub.open(), members)

    return serve


def own() -> Steering:
    return Steering("two-choices", b"")


async def test_all_follow_what_comes_after_the_newest(serve):
    behind, ahead = own(), own()
    ahead.follow(Directive(version=6, frozen="deploy"))
    found = await serve(behind, ahead)
    answers = await found.decide(lambda newest: newest.with_policy("ring", moving=False))
    expected = Directive(version=7, policy="ring", moving=False, frozen="deploy")
    assert [(each.gateway, each.directive) for each in answers] == [("gateway-1", expected), ("gateway-2", expected)]
    assert behind.directive == ahead.directive == expected


async def test_a_gateway_that_cannot_follow_says_why(serve):
    found = await serve(own(), Stubborn("two-choices", b""))
    with pytest.raises(RingwayError, match="not all gateways follow: gateway-2: the policy 'ring' is unknown"):
        await found.decide(lambda newest: newest.with_policy("ring", moving=False))


async def test_a_gateway_that_does_not_answer_is_named(serve, monkeypatch):
    monkeypatch.setattr(steer, "FOLLOW_S", 0.3)
    found = await serve(own(), silent=1)
    with pytest.raises(RingwayError, match=r"after 0\.3 s not all gateways follow: gateway-2: no answer"):
        await found.decide(lambda newest: newest.with_frozen("x"))


async def test_of_two_operators_at_one_moment_one_wins_and_the_other_is_told(serve, hub):
    first, second = own(), own()
    one = await serve(first, second)
    other = Gateways(hub.open(), one.members)
    done = await asyncio.gather(
        one.decide(lambda newest: newest.with_policy("ring", moving=False)),
        other.decide(lambda newest: newest.with_policy("least-connected", moving=False)),
        return_exceptions=True,
    )
    assert first.directive == second.directive
    failed = [each for each in done if isinstance(each, RingwayError)]
    assert len(failed) == 1
    assert "decide again" in str(failed[0]) or "is not newer" in str(failed[0])


async def test_a_group_that_no_gateway_knows_is_refused_and_nothing_changes(serve):
    one = own()
    found = await serve(one)
    with pytest.raises(ConfigError, match=r"there is no group .chat.; no group exists yet\. A group exists when"):
        await found.need_group("chat")
    with pytest.raises(ConfigError, match=r"there is no group .chat.; no group exists yet\. A group exists when"):
        await found.decide(lambda newest: newest.with_frozen("x", "chat"), "chat")
    assert one.directive == Directive()
    await found.need_group("")
    one.follow(Directive(version=1).with_frozen("x", "chat"))  # decided while the group was there
    [answer] = await found.decide(lambda newest: newest.with_frozen("", "chat"), "chat")
    assert answer.directive.of("chat").frozen == ""
    await found.need_group("chat")


async def test_one_gateway_is_asked_by_its_name(serve):
    found = await serve(own(), own())
    answer = await found.ask(NodeName("gateway-2"), Explain(key="x"))
    assert isinstance(answer, Explanation)
    assert answer.gateway == "gateway-2"
    assert found.names == ["gateway-1", "gateway-2"]


async def test_any_gateway_that_answers_will_do(serve, monkeypatch):
    monkeypatch.setattr(steer, "NEXT_S", 0.05)
    found = await serve(own(), own())
    answer = await found.ask_any(Explain(key="x"))
    assert isinstance(answer, Explanation)
    assert answer.gateway == "gateway-1"
    monkeypatch.setattr(Gateways, "names", [NodeName("gateway-0"), NodeName("gateway-2")])
    answer = await found.ask_any(Explain(key="x"))
    assert isinstance(answer, Explanation)
    assert answer.gateway == "gateway-2"


def test_of_nobody_the_newest_is_each_own_setting():
    assert newest_of([]) == Directive()
    answer = DirectiveAnswer(gateway=NodeName("g"), policy="ring", directive=Directive(version=3))
    assert newest_of([answer]).version == 3

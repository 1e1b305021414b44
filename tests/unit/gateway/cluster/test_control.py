"""Answers of a gateway to operators, and the way of a directive to all gateways."""

import asyncio
import random
import time
from collections.abc import AsyncIterator, Awaitable, Callable

import pytest

from ringway.core.group import Groups
from ringway.core.report_reader import MemberLeaves
from ringway.core.steering import Steering
from ringway.engine.memory.engine import MemoryHub
from ringway.errors import ConfigError
from ringway.gateway.cluster.control import GatewayControl
from ringway.gateway.cluster.directory import Directory
from ringway.gateway.cluster.reporter import GatewayReporter
from ringway.protocol.backend import Backend
from ringway.protocol.backend_share import BackendClaim
from ringway.protocol.control import (
    GATEWAYS,
    Decision,
    Decisions,
    DirectiveAnswer,
    Explain,
    Explanation,
    GatewayAnswer,
    GetDirective,
    ListDecisions,
    ListProblems,
    MovePause,
    NodeProblems,
    SetDirective,
    decode_gateway_answer,
    encode,
    gateway_address,
)
from ringway.protocol.directive import Directive
from ringway.protocol.keyring import Keyring
from ringway.protocol.order import NodeRefusal
from ringway.protocol.report import Report
from ringway.types import Incarnation, Issuer, NodeName, Role
from sample import gateway_report, node_report
from support.log_capture import capture_logs
from support.members import hear_reports, report_reader, report_writer

RING = Directive(version=1, policy="ring", moving=False)


KEYRING = Keyring(b"secret")


class Host:
    """The control of one gateway, with its directory and steering."""

    def __init__(
        self,
        number: int,
        decisions: list[Decision] | None = None,
        policy: str = "two-choices",
        hub: MemoryHub | None = None,
    ) -> None:
        self.name = NodeName(f"gateway-{number}")
        self.incarnation = Incarnation(f"{number:08x}")
        self.steering = Steering(policy, b"secret")
        issuer = Issuer(self.incarnation)
        self.directory = Directory(issuer, report_reader(KEYRING), groups=Groups(issuer, lambda name: self.steering))
        decided = decisions or []
        self.told: tuple[MovePause, ...] | None = None  # by its balancer, while it leads
        self.engine = (hub or MemoryHub()).open()
        self.control = GatewayControl(
            self.name, self.directory, random.Random(number), self.engine,
            lambda count: tuple(decided[:count]), pauses=lambda: self.told,
        )  # fmt: skip

    def hear(self, report: Report) -> None:
        self.directory.feed.add_report(report)

    @property
    def version(self) -> int:
        return self.steering.directive.version


@pytest.fixture
async def hub() -> MemoryHub:
    return MemoryHub()


@pytest.fixture
async def begin(hub: MemoryHub) -> AsyncIterator[Callable[[Host], Awaitable[Host]]]:
    """Lets a gateway take part, until the end of the test."""
    begun: list[Host] = []

    async def begin(host: Host) -> Host:
        engine = host.engine
        me = Report(name=host.name, incarnation=host.incarnation, role=Role.GATEWAY, seq=0, url="")
        host.reporter = GatewayReporter(
            host.directory,
            engine,
            me,
            report_writer(KEYRING, me.name, me.incarnation),
            random.Random(1),
            directive=host.control.followed_directive,
        )
        await host.reporter.start()
        await host.control.serve()
        begun.append(host)
        return host

    yield begin
    for host in begun:
        await host.control.stop()
        await host.reporter.stop()


async def ask(hub: MemoryHub, address: str, request: object) -> GatewayAnswer:
    return decode_gateway_answer(await hub.open().bus.call(address, encode(request), timeout_s=5))


async def until(condition: Callable[[], object], what: str) -> None:
    deadline = time.monotonic() + 10
    while not condition():
        assert time.monotonic() < deadline, f"waited for {what}"
        await asyncio.sleep(0.01)


async def test_a_gateway_answers_at_its_own_address_and_at_that_of_all(hub, begin):
    for number in (1, 2):
        await begin(Host(number, hub=hub))
    answer = await ask(hub, gateway_address(NodeName("gateway-2")), GetDirective())
    assert answer == DirectiveAnswer(
        gateway=NodeName("gateway-2"), policy="two-choices", configured="two-choices", directive=Directive()
    )
    raw = await hub.open().bus.gather(GATEWAYS, encode(GetDirective()), timeout_s=5)
    assert {decode_gateway_answer(each).gateway for each in raw} == {"gateway-1", "gateway-2"}


async def test_it_explains_with_its_own_view(hub, begin):
    host = await begin(Host(1, hub=hub))
    host.hear(node_report("node-1", connections=3))
    answer = await ask(hub, gateway_address(host.name), Explain(key="room"))
    assert isinstance(answer, Explanation)
    assert (answer.gateway, answer.chosen, answer.key) == ("gateway-1", "node-1", "room")
    assert answer.candidates[0].connections == 3


async def test_it_names_the_problems_of_nodes(hub, begin):
    host = await begin(Host(1, hub=hub))
    host.directory.groups.knocks = True
    host.hear(node_report("node-1"))
    host.hear(node_report("node-2"))
    host.directory.groups.believe([NodeName("node-1")])
    host.directory.groups.doubt(NodeName("node-2"), "its URL leads elsewhere")
    answer = await ask(hub, gateway_address(host.name), ListProblems())
    assert answer == NodeProblems(
        gateway=host.name, problems={NodeName("node-2"): "gets no clients: its URL leads elsewhere"}
    )
    said = {each.node: each.why_not for each in host.control.explain("").candidates}
    assert said == {"node-1": "", "node-2": "its URL leads elsewhere"}


async def test_it_says_why_no_moves_are_ordered(hub, begin):
    host = await begin(Host(1, hub=hub))
    host.hear(node_report("node-1"))
    host.control.freeze("a deploy")
    answer = await ask(hub, gateway_address(host.name), ListProblems())
    assert isinstance(answer, NodeProblems)
    assert answer.pauses == (MovePause(group="channels", why="an operator has frozen it: a deploy", is_frozen=True),), (
        "a different gateway leads"
    )
    host.told = (MovePause(group="channels", why="node-2 joined", is_frozen=False),)
    assert host.control.pauses() == host.told, "its own balancer leads"
    host.told = ()
    assert host.control.pauses() == ()


async def test_what_it_does_not_understand_is_refused_in_words(hub, begin):
    host = await begin(Host(1, hub=hub))
    for raw in (b"", b"{", b'{"type":"dance"}', b'{"type":"set","directive":{"version":"new"}}', b"\xff"):
        answer = decode_gateway_answer(await hub.open().bus.call(GATEWAYS, raw, timeout_s=5))
        assert isinstance(answer, NodeRefusal)
        assert "gateway-1 does not understand the request" in answer.why
    assert host.version == 0


async def test_a_directive_sent_to_one_is_followed_by_all_and_by_who_comes_later(hub, begin):
    first, second = await begin(Host(1, hub=hub)), await begin(Host(2, hub=hub))
    answer = await ask(hub, gateway_address(first.name), SetDirective(directive=RING))
    assert (answer.policy, answer.directive, answer.problem) == ("ring", RING, "")
    await until(lambda: second.steering.directive == RING, "the other to follow")
    assert second.steering.policy.name == "ring"
    third = await begin(Host(3, hub=hub))
    await until(lambda: third.steering.directive == RING, "the third to follow")
    await until(lambda: first.control.versions() == {f"gateway-{n}": 1 for n in (1, 2, 3)}, "all to be heard of")


async def test_it_outlives_whoever_was_told(hub, begin):
    first, second = await begin(Host(1, hub=hub)), await begin(Host(2, hub=hub))
    await ask(hub, gateway_address(first.name), SetDirective(directive=RING))
    await until(lambda: second.version == 1, "the other to follow")
    await first.control.stop()
    await first.reporter.stop()
    again = await begin(Host(1, hub=hub))
    await until(lambda: again.steering.directive == RING, "the new one to follow")


async def test_what_the_balancer_itself_decides_is_told_on_as_well(hub, begin):
    first, second = await begin(Host(1, hub=hub)), await begin(Host(2, hub=hub))
    first.steering.follow(RING)
    await until(lambda: second.steering.directive == RING, "the other to follow")


async def test_a_change_is_told_at_once_and_not_only_with_the_next_report(hub, begin):
    host = await begin(Host(1, hub=hub))
    told = await hear_reports(hub.open(), KEYRING)
    await until(lambda: told, "a first report")
    for _ in range(3):
        host.control.freeze("deploy")
        reports = len(told)
        began = time.monotonic()
        await until(lambda seen=reports: len(told) > seen, "a report")
        if time.monotonic() - began < 0.6:
            return
    pytest.fail("three times it took as long as an ordinary report")


async def test_what_is_not_newer_is_refused_and_the_same_again_is_not(hub, begin):
    host = await begin(Host(1, hub=hub))
    for _ in range(2):
        answer = await ask(hub, GATEWAYS, SetDirective(directive=RING))
        assert (answer.problem, answer.directive) == ("", RING)
    answer = await ask(hub, GATEWAYS, SetDirective(directive=Directive(version=1, policy="")))
    assert "version 1 is not newer than 1" in answer.problem
    assert host.steering.directive == answer.directive == RING


async def test_a_policy_that_there_is_not_is_answered_with_those_there_are(hub, begin):
    host = await begin(Host(1, hub=hub))
    answer = await ask(hub, GATEWAYS, SetDirective(directive=Directive(version=1, policy="fastest")))
    assert "'fastest' is unknown" in answer.problem
    assert (host.version, host.steering.policy.name) == (0, "two-choices")


def test_what_another_gateway_follows_and_this_one_cannot_is_said_once():
    host = Host(1)
    strange = Directive(version=4, policy="of-tomorrow")
    with capture_logs() as logs:
        for seq in range(1, 5):
            host.hear(gateway_report("gateway-2", seq, directive=strange))
    assert [log["event"] for log in logs].count("a directive cannot be followed") == 1
    said = host.control.followed()
    assert said.directive.version == 0
    assert "cannot follow version 4, which gateway-2 follows: the policy 'of-tomorrow' is unknown" in said.problem
    host.hear(gateway_report("gateway-2", 5, directive=strange.with_policy("ring", moving=True)))
    assert host.control.followed().problem == ""
    assert host.version == 5


def test_a_change_made_here_is_newer_than_all_that_others_follow():
    host = Host(1)
    host.hear(gateway_report("gateway-2", directive=Directive(version=4, policy="of-tomorrow")))
    assert host.version == 0
    assert host.control.change_policy("ring", moving=False).directive.version == 5
    assert host.control.followed().problem == ""


def test_reports_without_a_directive_and_of_who_leaves_change_nothing():
    host = Host(1)
    report = gateway_report("gateway-2")
    host.hear(report)
    host.directory.feed.remove_member(MemberLeaves(report.name, report.incarnation))
    assert (host.version, host.control.followed_directive()) == (0, None)


async def test_an_operator_changes_the_policy_and_freezes_step_by_step():
    host = Host(1)
    await host.control.serve()
    assert host.control.change_policy(" ring ", moving=False).policy == "ring"
    assert host.control.freeze("deploy").directive == Directive(version=2, policy="ring", moving=False, frozen="deploy")
    assert host.control.followed_directive() == host.steering.directive
    assert host.control.freeze("").directive.frozen == ""
    assert host.control.change_policy("", moving=True).policy == "two-choices"
    with pytest.raises(ConfigError, match="'fastest' is unknown"):
        host.control.change_policy("fastest", moving=False)
    assert host.version == 4
    await host.control.stop()


def test_one_group_is_steered_by_its_name_and_an_unknown_one_is_refused():
    host = Host(1)
    host.hear(node_report("a", is_backend=True, group="chat"))
    assert [each.group for each in host.control.followed().groups] == ["chat"]
    assert host.control.freeze("a test", "chat").directive.of("chat").frozen == "a test"
    assert host.control.change_policy("ring", moving=True, group="chat").directive.of("chat").policy == "ring"
    for steered in (
        lambda: host.control.freeze("a test", "feed"),
        lambda: host.control.change_policy("ring", moving=True, group="feed"),
    ):
        with pytest.raises(ConfigError, match=r"there is no group 'feed'; there is only chat\. A group exists when"):
            steered()
    assert host.version == 2


def decision(number: int, at: float) -> Decision:
    return Decision(number=number, at=at, cause="joined", reason="because")


async def test_decisions_of_all_gateways_come_together_the_newest_first(hub, begin):
    first = await begin(Host(1, [decision(2, 30.0), decision(1, 10.0)], hub=hub))
    await begin(Host(2, [decision(1, 20.0)], hub=hub))
    await until(lambda: len(first.control.versions()) == 2, "the gateways to hear each other")
    found = await first.control.decisions(10)
    assert [(each.gateway, each.number) for each in found] == [("gateway-1", 2), ("gateway-2", 1), ("gateway-1", 1)]
    assert [each.at for each in await first.control.decisions(1)] == [30.0]
    answer = await ask(hub, gateway_address(first.name), ListDecisions(count=1))
    assert isinstance(answer, Decisions)
    assert [each.number for each in answer.decisions] == [2]
    hub.away = True
    assert {each.gateway for each in await first.control.decisions(10)} == {"gateway-1"}
    hub.away = False


async def test_an_empty_group_that_a_route_names_can_be_explained() -> None:
    directory = Directory(Issuer("0badcafe"), groups=Groups(Issuer("0badcafe"), kept=["chat"]))
    control = GatewayControl(NodeName("gateway-1"), directory, random.Random(1), MemoryHub().open())
    said = control.explain("", group="chat")
    assert said.problem == (
        "the group 'chat' has no backend; add one with --backend URL,group=chat, or by another source"
    )
    with pytest.raises(ConfigError, match="there is no group 'nope'"):
        control.explain("", group="nope")


async def test_gateways_that_put_a_backend_in_different_groups_are_told_once() -> None:
    host = Host(1)
    with capture_logs() as events:
        for seq in (1, 2):
            for number, group in enumerate(("chat", "")):
                claim = BackendClaim(backend=Backend(name=NodeName("b"), url="ws://h:1", group=group), since=number)
                host.hear(gateway_report(f"gateway-{number}", seq, backends={NodeName("b"): claim}))
                host.directory.tick()
    [event] = [event for event in events if "different groups" in event["event"]]
    assert event["log_level"] == "warning"
    assert (event["backend"], event["group"], event["gateway"]) == ("b", "default", "gateway-1")
    assert (event["other_group"], event["other_gateway"]) == ("chat", "gateway-0")
    assert "gateway-0 in chat" in host.control.problems()[NodeName("b")]


async def test_members_of_a_group_to_which_no_route_leads_are_named_beside_their_other_problems() -> None:
    directory = Directory(Issuer("0badcafe"), report_reader(KEYRING), groups=Groups(Issuer("0badcafe")))
    control = GatewayControl(
        NodeName("gateway-1"), directory, random.Random(1), MemoryHub().open(),
        why_unreached=lambda group: "gets no clients here" if group == "nope" else "",
    )  # fmt: skip
    for number, group in enumerate(("chat", "nope", "nope")):
        backend = Backend(name=NodeName(f"b-{number}"), url=f"ws://h:{number}", group=group)
        claims = {backend.name: BackendClaim(backend=backend, since=1.0)}
        directory.feed.add_report(gateway_report(f"gateway-{number}", 1, backends=claims))
    directory.groups.nodes[NodeName("b-2")].doubt = "it answers no knock"
    problems = control.problems()
    assert problems == {
        "b-1": "gets no clients here",
        "b-2": "gets no clients: it answers no knock; gets no clients here",
    }

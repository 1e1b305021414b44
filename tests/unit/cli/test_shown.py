"""Output of `ringway explain`, `moves` and `policy`."""

import time
from typing import Any

from ringway.cli.explain import show_explanation
from ringway.cli.moves import moves_table
from ringway.cli.policy import show_policy
from ringway.cli.table import make_console
from ringway.protocol.control import Candidate, Decision, DirectiveAnswer, Explanation, GroupPolicy
from ringway.protocol.directive import Directive
from ringway.protocol.order import QuotaRow
from ringway.types import NodeName

ME = NodeName("gateway-1")


def candidate(node: str, **fields: object) -> Candidate:
    return Candidate(node=NodeName(node), **{"state": "active", "eligible": True, **fields})  # type: ignore[arg-type]


def explained(*candidates: Candidate, **fields: object) -> Explanation:
    return Explanation(
        gateway=ME, policy="ring:c=1.1", rule="the first with room", measure="load / cap", candidates=candidates,
        **fields,  # type: ignore[arg-type]
    )  # fmt: skip


def row(output: str, node: str) -> str:
    return next(line for line in output.splitlines() if node in line.split()[:2])


def test_the_chosen_node_is_marked_and_the_others_say_why_not(capsys):
    show_explanation(
        explained(
            candidate("n1", value=1.0049, load=1900, connections=1900, compared=True, note="is at its cap"),
            candidate("n2", value=0.5, load=12, connections=9, held_here=3, compared=True),
            candidate("n3", eligible=False, why_not="draining"),
            candidate("n4", value=2.0),
            key="room-4", chosen=NodeName("n2"), alternates=(NodeName("n4"),), note="it is late",
        )
    )  # fmt: skip
    output = capsys.readouterr().out
    assert "A client with the key 'room-4' goes to n2." in output
    assert "gateway-1 places by ring:c=1.1: the first with room." in output
    assert "Note: it is late." in output
    assert row(output, "n1").split()[1:4] == ["1.005", "1,900", "1,900"]
    assert row(output, "n1").rstrip().endswith("is at its cap")
    assert row(output, "n2").split() == ["▶", "n2", "0.5", "12", "9", "3", "chosen"]
    assert row(output, "n3").split() == ["n3", "-", "0", "0", "0", "draining"]
    assert "asked next, should that fail" in row(output, "n4")
    assert "+ held here" in output
    assert "held elsewhere" not in output, "parts that are zero everywhere are left out"
    assert "weight" not in output, "equal weights are left out"


def test_weights_are_shown_where_they_differ(capsys):
    show_explanation(explained(candidate("n1", weight=2.0), candidate("n2", trim=0.85), chosen=NodeName("n1")))
    output = capsys.readouterr().out
    assert "A client without a key goes to n1." in output
    assert " 2 " in row(output, "n1")
    assert "1 x 0.85" in row(output, "n2")


def test_where_nobody_can_be_placed_the_reason_comes_first(capsys):
    show_explanation(explained(candidate("n1", eligible=False, why_not="draining"), problem="all 1 nodes are draining"))
    output = capsys.readouterr().out
    assert output.startswith("A client without a key cannot be placed: all 1 nodes are draining.")
    assert "▶" not in output


def test_moves_say_when_why_and_who(capsys):
    now = time.time()
    quotas = tuple(
        QuotaRow(donor=NodeName("n1"), target=NodeName(f"t{number}"), count=number) for number in range(1, 8)
    )
    make_console().print(
        moves_table(
            [
                Decision(number=2, gateway=ME, at=now, cause="joined", reason="n3 is empty", quotas=quotas, planned=28,
                         ordered=20, seconds=3.4, handed_over=1_017, reconnected=2, apart=1),
                Decision(number=1, gateway=ME, at=86_400.0 * 365, cause="drain", reason="n2 drains",
                         outcome="frozen: a deploy"),
            ]
        )
    )  # fmt: skip
    first, *rest = capsys.readouterr().out.splitlines()[1:]
    assert time.strftime("%H:%M", time.localtime(now)) in first
    assert all(part in first for part in ("gateway-1", "joined", "n1 → t7  7", "20 of 28", "under way", "n3 is empty"))
    assert "1,017 handed over" in first
    assert "2 reconnected" in rest[0]
    assert "1 apart" in rest[1]
    assert "and 3 more pairs  6" in rest[3], "the largest are shown, the rest is summed up"
    assert "1970" in rest[-1] or "1971" in rest[-1]
    assert "frozen: a deploy" in rest[-1]


def followed(gateway: str, directive: Directive, **fields: Any) -> DirectiveAnswer:
    policy = directive.policy or "two-choices"
    return DirectiveAnswer(
        gateway=NodeName(gateway), policy=policy, configured="two-choices", directive=directive, **fields
    )


def test_the_policy_is_shown_for_each_gateway_with_who_is_behind(capsys):
    newest = Directive(version=3, policy="ring", moving=False, frozen="a deploy")
    answers = [followed("g1", newest), followed("g2", Directive(version=2), problem="it cannot follow version 3: x")]
    show_policy(answers, is_new=True)
    output = capsys.readouterr().out
    assert row(output, "g1").split() == ["g1", "ring", "3", "two-choices"]
    assert row(output, "g2").split() == ["g2", "two-choices", "2,", "not", "3", "two-choices"]
    assert "g2: it cannot follow version 3: x" in output
    assert "Moves are frozen: a deploy. `ringway unfreeze`" in output
    assert "Nobody is moved; `ringway rebalance` moves those" in output
    show_policy(answers)  # it was set a while ago
    output = capsys.readouterr().out
    assert "It was set without --move: connections stay where they are; `ringway rebalance` moves those" in output
    assert "Newcomers" not in output


def test_each_group_is_shown_with_what_is_decided_for_it(capsys):
    directive = Directive(version=2).with_policy("ring", moving=False, group="chat").with_frozen("a test", "chat")
    rows = [
        GroupPolicy(group=name, policy=policy, configured="two-choices", moving=True, frozen="")
        for name, policy in (("chat", "ring"), ("feed", "two-choices"))
    ]
    show_policy([followed("g1", directive, groups=tuple(rows))], is_new=True)
    said = capsys.readouterr().out
    assert [line.split()[:3] for line in said.splitlines()[1:3]] == [
        ["g1", "chat", "ring"],
        ["g1", "feed", "two-choices"],
    ]
    assert "Moves of group chat are frozen: a test. `ringway unfreeze --group chat` lets them go on." in said
    assert "Newcomers of group chat are placed by it. Nobody is moved; `ringway rebalance --group chat`" in said
    show_policy([followed("g1", directive.with_frozen("all"), groups=tuple(rows))])
    assert "Moves are frozen: all. `ringway unfreeze` lets" in capsys.readouterr().out


def test_without_a_decision_nothing_is_said_of_moves(capsys):
    show_policy([followed("g1", Directive())])
    assert len(capsys.readouterr().out.splitlines()) == 2

"""Choice of the wire version: members of two releases agree on one that all of them read."""

import msgspec
import pytest

from ringway.core.wire_choice import WireChoice
from ringway.protocol.keyring import Keyring, Purpose
from ringway.protocol.report import Report
from ringway.protocol.seal import Sealer
from ringway.types import Incarnation
from sample import gateway_report, node_report

OWN = Incarnation("0badcafe")


def choice(*, hears_nodes: bool = True, speaks: tuple[int, int] = (2, 3)) -> tuple[WireChoice, Keyring]:
    keyring = Keyring(b"secret")
    lowest, highest = speaks
    return WireChoice(keyring, OWN, hears_nodes=hears_nodes, lowest=lowest, highest=highest), keyring


def member(name: str, highest: int, common: int = 0, lowest: int = 2) -> Report:
    made = gateway_report(name) if name.startswith("g") else node_report(name)
    return msgspec.structs.replace(made, wire_min=lowest, wire_max=highest, wire_common=common)


@pytest.mark.parametrize(
    ("heard", "version"),
    [
        ([], 2),
        ([member("n1", 2)], 2),
        ([member("n1", 3)], 3),
        ([member("n1", 3), member("n2", 2)], 2),
        ([member("n1", 4, lowest=3)], 3),
        ([member("n1", 3), member("g1", 3, common=2)], 3),
    ],
    ids=["nobody", "an older", "an equal", "an equal and an older", "a newer", "a gateway that has not gone up yet"],
)
def test_a_gateway_goes_by_all_members_that_it_hears(heard: list[Report], version: int) -> None:
    made, keyring = choice()
    assert made.choose(heard) == (version != 2)
    assert made.version == keyring.wire_version == version
    assert not made.choose(heard)


@pytest.mark.parametrize(
    ("heard", "version"),
    [
        ([], 2),
        ([member("g1", 2)], 2),
        ([member("g1", 3)], 3),
        ([member("g1", 3, common=2)], 2),
        ([member("g1", 3, common=3), member("g2", 3, common=2)], 2),
        ([member("g1", 3, common=3), member("g2", 3, common=3)], 3),
    ],
    ids=[
        "nobody",
        "an older gateway",
        "a gateway that says nothing",
        "an older node",
        "a gateway that knows more",
        "all",
    ],
)
def test_a_node_goes_by_what_gateways_say_of_the_other_nodes(heard: list[Report], version: int) -> None:
    made, _ = choice(hears_nodes=False)
    made.choose(heard)
    assert made.version == version


def test_it_goes_back_when_an_older_member_joins_and_seals_so_from_then_on() -> None:
    made, keyring = choice()
    sealer = Sealer(keyring, Purpose.REPORT, OWN, lambda: 0.0)
    assert made.choose([member("n1", 3)])
    assert sealer.seal(1, b"", b"")[0] == 3
    assert sealer.seal(1, b"", b"", 2)[0] == 2, "an answer is sealed in the version of its request"
    assert made.choose([member("n1", 3), member("n2", 2)])
    assert sealer.seal(1, b"", b"")[0] == 2


def test_its_own_report_and_a_member_that_reads_nothing_of_its_own_do_not_lower_it() -> None:
    made, _ = choice(speaks=(3, 4))
    own = msgspec.structs.replace(member("g1", 3, common=3), incarnation=OWN)
    made.choose([own, member("n1", 4)])
    assert made.version == 4
    made.choose([own, member("n1", 2)])
    assert made.version == 3, "the lowest that it speaks"


def test_a_release_that_speaks_one_version_chooses_nothing() -> None:
    made, keyring = choice(speaks=(2, 2))
    assert not made.choose([member("n1", 3)])
    assert made.version == 2
    assert keyring.wire_version == 0

"""Knocks on the wire: proofs by gateways and nodes, rotation of the secret, and strangers."""

import pytest

from ringway.protocol.keyring import Keyring
from ringway.protocol.knock import NONCE_BYTES, KnockProver
from ringway.types import Incarnation, NodeName

NONCE, OTHER = bytes(NONCE_BYTES), bytes([1] * NONCE_BYTES)
N1, LIFE = NodeName("node-1"), Incarnation("0a1b2c3d")
NEW, OLD = b"n" * 32, b"o" * 32


def prover(*keys: bytes) -> KnockProver:
    return KnockProver(Keyring(*keys))


def test_a_knock_is_answered_with_a_proof_of_who_is_there() -> None:
    gateway, node = prover(NEW), prover(NEW)
    knock = node.believe(gateway.ask(NONCE))
    assert knock is not None
    answered = gateway.read_answer(node.answer(knock, N1, LIFE), NONCE)
    assert answered == (N1, LIFE, True)


def test_a_proof_is_good_for_one_nonce_name_and_incarnation() -> None:
    gateway, node = prover(NEW), prover(NEW)
    knock = node.believe(gateway.ask(NONCE))
    assert knock is not None
    good = node.answer(knock, N1, LIFE)
    for value, nonce in [
        (good, OTHER),
        (good.replace("node-1", "node-2"), NONCE),
        (good.replace("0a1b2c3d", "0a1b2c3e"), NONCE),
    ]:
        answered = gateway.read_answer(value, nonce)
        assert answered is not None
        assert not answered.proven


@pytest.mark.parametrize(
    ("gateway", "node"), [((NEW, OLD), (OLD,)), ((OLD,), (NEW, OLD)), ((NEW, OLD), (NEW, OLD)), ((NEW, OLD), (NEW,))]
)
def test_a_secret_changes_without_an_outage_in_any_order(gateway: tuple[bytes, ...], node: tuple[bytes, ...]) -> None:
    asks, answers = prover(*gateway), prover(*node)
    knock = answers.believe(asks.ask(NONCE))
    assert knock is not None
    assert asks.read_answer(answers.answer(knock, N1, LIFE), NONCE) == (N1, LIFE, True)


def test_a_stranger_is_not_answered_and_an_answer_is_no_knock() -> None:
    gateway, node = prover(NEW), prover(NEW)
    assert node.believe(prover(OLD).ask(NONCE)) is None
    asked = gateway.ask(NONCE)
    knock = node.believe(asked)
    assert knock is not None
    proof = node.answer(knock, N1, LIFE).split()[2]
    assert node.believe(f"{asked.split()[0]} {proof}") is None
    assert gateway.read_answer(f"{N1} {LIFE} {asked.split()[1]}", NONCE) == (N1, LIFE, False)


@pytest.mark.parametrize(
    "asked", ["", "x", "A" * 22, " ".join(["A" * 22] * 4), "A" * 22 + " " + "\xe9" * 22, "A" * 22 + "  " + "A" * 22]
)
def test_a_malformed_knock_is_none(asked: str) -> None:
    assert prover(NEW).believe(asked) is None


@pytest.mark.parametrize("value", ["", "node-1", "node-1 0a1b2c3d", "no de 0a1b2c3d " + "A" * 22, "n 0A1B2C3D x"])
def test_a_malformed_answer_is_none(value: str) -> None:
    assert prover(NEW).read_answer(value, NONCE) is None

"""Donor of one session: what it waits for before the commit, and what it may carry."""

from collections.abc import Callable
from types import SimpleNamespace
from typing import cast

import pytest

from ringway.core.handover import DonorAction, DonorEvent, DonorState
from ringway.node.connection.connection import Connection
from ringway.node.sessions.donor import CARRIED_BYTES_MAX, SessionDonor
from ringway.types import NodeName


@pytest.fixture
def calls() -> list[Callable[[], object]]:
    """What waits for the end of the client's calls (RPC)."""
    return []


@pytest.fixture
async def donor(calls: list[Callable[[], object]]) -> SessionDonor:
    """A donor whose client was cut off and has answered."""
    connection = cast(Connection, SimpleNamespace(follows="1"))
    donor = SessionDonor(connection, NodeName("n2"), lambda of, call: calls.append(call))
    assert donor.handle(DonorEvent.PREPARED) is DonorAction.CUT
    donor.handle(DonorEvent.ANSWERED)
    return donor


async def test_a_session_is_committed_when_its_calls_have_been_answered(
    donor: SessionDonor, calls: list[Callable[[], object]]
) -> None:
    donor.on_settled([b"left"])
    assert donor.commands == [b"left"]
    assert donor.state is DonorState.ANSWERED
    donor.keep_reply(b"the answer")
    calls.pop()()
    assert donor.state is DonorState.COMMITTING
    assert donor.replies == [b"the answer"]


async def test_a_session_with_too_many_unsent_replies_is_given_up(donor: SessionDonor) -> None:
    donor.keep_reply(b"x" * CARRIED_BYTES_MAX)
    assert donor.state is DonorState.ANSWERED
    donor.keep_reply(b"x")
    assert await donor.outcome(60.0) is DonorAction.ABANDON

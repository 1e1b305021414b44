"""Return of a restarted backend: what gateways find wrong with it counts if it keeps clients away."""

import asyncio
from typing import cast

import pytest

from ringway.cli.backend_return import BackendReturn
from ringway.cli.steer import Gateways
from ringway.protocol.control import NodeProblems
from ringway.types import NodeName
from sample import node_report

DISPUTE = "gateway-2 puts it in the group default, which counts, and gateway-1 in chat"
CHECK = "gets no clients: its check fails"


class Told:
    """Gateways that find one thing wrong."""

    def __init__(self, problem: str) -> None:
        self.problem = problem
        self.asked = 0

    async def ask_all(self, question: object, timeout_s: float) -> list[NodeProblems]:
        self.asked += 1
        return [NodeProblems(gateway=NodeName("gateway-1"), problems={NodeName("b"): self.problem})]


def back(told: Told) -> BackendReturn:
    return BackendReturn(cast(Gateways, told), node_report("b", is_backend=True), checks_s=0.0)


async def test_a_problem_with_which_it_gets_clients_holds_nothing_up() -> None:
    await asyncio.wait_for(back(Told(DISPUTE)).wait(), 10)


@pytest.mark.parametrize("problem", [CHECK, f"{CHECK}; {DISPUTE}"], ids=["alone", "with another"])
async def test_a_problem_that_keeps_clients_away_is_waited_for(problem: str) -> None:
    told = Told(problem)
    returning = back(told)
    waiting = asyncio.ensure_future(returning.wait())
    while told.asked < 3:
        await asyncio.sleep(0.01)
    assert not waiting.done()
    assert returning.problem == f"gateway-1: {problem}"
    told.problem = ""
    await asyncio.wait_for(waiting, 10)

"""The runs of servers that people have: which stack, known by which source, moved in which way."""

from collections.abc import Iterable
from dataclasses import dataclass

import pytest
from _pytest.mark import ParameterSet

from integration.own_servers.running import Source
from integration.own_servers.stack import STACKS

DEADLINE_S = 300


@dataclass(frozen=True)
class Run:
    """One running system: instances of a stack, and how the gateway gets to know and moves them."""

    stack: str
    source: Source = Source.FILE
    on_move: str = "auto"

    @property
    def name(self) -> str:
        """Its name in tests."""
        return f"{self.stack}-{self.source.value}-{self.on_move}"


def parameters(runs: Iterable[Run]) -> list[ParameterSet]:
    """Return parameters of the fixture `moved_servers`. Tests of one run share its system, in one process.

    They have more time than others: a run waits for clients that are moved at a pace, and starts servers on a busy
    machine.
    """
    return [
        pytest.param(
            (STACKS[run.stack], run.source, run.on_move),
            id=run.name,
            marks=(pytest.mark.xdist_group(run.name), pytest.mark.timeout(DEADLINE_S)),
        )
        for run in runs
    ]

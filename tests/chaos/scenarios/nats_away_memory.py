"""The engine, with its history in memory, is killed and comes back: every subscription that lost something is told."""

from dataclasses import replace

from chaos.scenario import Outcome, Size
from chaos.scenarios import nats_away
from support.system import System

MEMORY = {"RINGWAY_ENGINE_HISTORY_STORAGE": "memory"}
FULL = replace(nats_away.FULL, environ=MEMORY)
SMALL = replace(nats_away.SMALL, environ=nats_away.SMALL.environ | MEMORY)


def run(size: Size, system: System | None = None) -> Outcome:
    """As with files; losses may be announced, and none may be silent."""
    outcome = nats_away.run(size, system, "nats_away_memory")
    outcome.may_announce = ("",)
    return outcome

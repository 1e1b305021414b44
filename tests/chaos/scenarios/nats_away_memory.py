"""The engine, with its history in memory, is killed and comes back: every loss is announced to its subscribers."""

from dataclasses import replace

from chaos.scenario import Outcome, Size
from chaos.scenarios import nats_away
from support.system import System

MEMORY = {"RINGWAY_ENGINE_HISTORY_STORAGE": "memory"}
FULL = replace(nats_away.FULL, environ=MEMORY)
SMALL = replace(nats_away.SMALL, environ=nats_away.SMALL.environ | MEMORY)


def run(size: Size, system: System | None = None) -> Outcome:
    """Run as with files; announced losses are allowed, silent losses are not."""
    outcome = nats_away.run(size, system, "nats_away_memory")
    outcome.may_announce = ("",)
    return outcome

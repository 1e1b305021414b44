"""All servers of the engine are killed at once and come back empty: every loss is announced to its subscribers."""

from chaos.scenario import Outcome, Size
from chaos.scenarios import engine_restarted
from support.system import System

FULL = engine_restarted.FULL
SMALL = engine_restarted.SMALL


def run(size: Size, system: System | None = None) -> Outcome:
    """Run as with data; announced losses are allowed, silent losses are not."""
    return engine_restarted.run(size, system, "engine_emptied", without_data=True)

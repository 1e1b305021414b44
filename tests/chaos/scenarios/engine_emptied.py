"""All servers of the engine are killed at once and come back empty: every subscription that lost something is told."""

from chaos.scenario import Outcome, Size
from chaos.scenarios import engine_restarted
from support.system import System

FULL = engine_restarted.FULL
SMALL = engine_restarted.SMALL


def run(size: Size, system: System | None = None) -> Outcome:
    """As with data; losses may be announced, and none may be silent."""
    return engine_restarted.run(size, system, "engine_emptied", without_data=True)

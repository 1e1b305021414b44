"""The storm without slots and window, for comparison. Nothing is claimed about its times."""

from dataclasses import replace

from chaos.scenario import Outcome, Size
from chaos.scenarios import storm
from support.system import System

OFF = {
    "RINGWAY_GATEWAY_SLOT_WAIT_S": "0",
    "RINGWAY_GATEWAY_SLOT_HOLD_S": "0",
    "RINGWAY_GATEWAY_RECONNECT_WINDOW": "false",
}
FULL = replace(storm.FULL, environ=storm.FULL.environ | OFF)
SMALL = replace(storm.SMALL, environ=storm.SMALL.environ | OFF)


def run(size: Size, system: System | None = None) -> Outcome:
    """Run as with them; the claims are measured only."""
    outcome = storm.run(size, system, "storm_unshaped")
    outcome.measured |= {claim.what: claim.value for claim in outcome.paces}
    outcome.paces = []
    return outcome

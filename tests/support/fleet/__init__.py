"""Fleets of real engine servers, for tests and benchmarks of what happens when servers fail."""

from support.fleet.fleet import Fleet, Server
from support.fleet.kind import FLEETS, make_fleet, running_fleet

__all__ = ["FLEETS", "Fleet", "Server", "make_fleet", "running_fleet"]

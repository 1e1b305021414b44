"""Isolation of the process: a part of its health, and one line in the log when it begins and when it ends."""

import asyncio
import time

from ringway.core.isolation import why_isolated
from ringway.logger import get_logger
from ringway.member.feed import Feed
from ringway.types import NodeName

CHECK_S = 1.0

_log = get_logger()


class Isolation:
    """The isolation of the member `name`, which hears the others by `feed`."""

    def __init__(self, name: NodeName, feed: Feed) -> None:
        self._name = name
        self._feed = feed
        self._logged = False

    def problem(self) -> str:
        """Return why the member is isolated, with the remedy; empty if it is not. Its begin and end are logged."""
        problem = why_isolated(self._name, self._feed.live, self._feed.strangers, time.monotonic())
        if problem and not self._logged:
            _log.error("this member is not ready", problem=problem)
        elif self._logged and not problem:
            _log.info("this member believes others again, or hears none")
        self._logged = bool(problem)
        return problem

    async def run(self) -> None:
        """Check each second until cancelled, so that the log has it also if nobody asks."""
        while True:
            self.problem()
            await asyncio.sleep(CHECK_S)

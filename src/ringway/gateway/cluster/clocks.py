"""Clocks of members, as a gateway sees them: their skew reaches the view, for tickets, and the log."""

from ringway.core.clock_skew import ClockSkews, describe_skew
from ringway.core.group import Groups
from ringway.core.membership import MemberLeft, MembershipEvent
from ringway.logger import get_logger
from ringway.protocol.report import Report

_log = get_logger()


class MemberClocks:
    """Measures the clocks of all members by their reports, and records the clocks of nodes in `groups`."""

    def __init__(self, groups: Groups) -> None:
        self._groups = groups
        self._skews = ClockSkews()
        self._is_own_told = False

    def on_report(self, report: Report, sent_at: float, received_at: float) -> None:
        """Measure by a report that was sent and received at these times, each by the wall clock there."""
        name = report.name
        news = self._skews.heard(name, report.incarnation, sent_at, received_at)
        node, skew_s = self._groups.nodes.get(name), self._skews.skew_s(name)
        if node is not None and node.skew_s != skew_s:
            self._groups.set_skew(name, skew_s)
        if news is None:
            return
        if news.is_large:
            _log.warning("the clock of a member differs: " + describe_skew(news.skew_s), member=name)
        else:
            _log.info("the clock of a member is right again", member=name, ahead_s=round(news.skew_s, 3))
        self._judge_own()

    def on_event(self, event: MembershipEvent) -> None:
        """Forget members that have left. A listener of the feed."""
        if isinstance(event, MemberLeft):
            self._skews.forget(event.report.name)

    def _judge_own(self) -> None:
        behind_s = self._skews.own_fault_s()
        if behind_s and not self._is_own_told:
            _log.error(
                "the clock of this gateway differs from those of most members; have NTP set it",
                behind_s=round(behind_s, 1),
            )
        self._is_own_told = bool(behind_s)

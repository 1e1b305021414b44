"""Judgement of deliveries: the published messages, the record of each client, and the comparison of both."""

from ringway.testing.delivery.judge import Finding, judge
from ringway.testing.delivery.order import Order
from ringway.testing.delivery.published import Outcome, Published
from ringway.testing.delivery.seen import Closed, Seen, Subscribed, Witness
from ringway.testing.delivery.verdict import Verdict, give_verdict

__all__ = [
    "Closed",
    "Finding",
    "Order",
    "Outcome",
    "Published",
    "Seen",
    "Subscribed",
    "Verdict",
    "Witness",
    "give_verdict",
    "judge",
]

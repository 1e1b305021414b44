"""Did everything arrive? What was published, what each client saw, and the judgement of one against the other."""

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

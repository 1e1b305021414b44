"""Questions over core NATS to the subscribers of a channel (`ports.Broker.ask_subscribers`).

A question goes out on the subject of the channel, with a reply subject in the inbox of the asker: so exactly the
subscribers of the channel receive it. NATS does not say how many these are; if there are none, it says so.
"""

from ringway.engine.nats.header import NO_RESPONDERS
from ringway.engine.nats.inbox import NatsInbox
from ringway.ports import Answers


class NatsQuestion:
    """A question whose answers are received until `close` (`ports.OpenQuestion`)."""

    __slots__ = ("_answers", "_inbox", "address")

    def __init__(self, inbox: NatsInbox, answers: Answers) -> None:
        self._inbox = inbox
        self._answers = answers
        self.address = inbox.open(self._on_message)
        """The subject for answers."""

    def _on_message(self, header: bytes, payload: bytes) -> None:
        if header.startswith(NO_RESPONDERS):
            self._answers.on_receivers(0)
        else:
            self._answers.on_answer(payload)

    def close(self) -> None:
        """Stop receiving answers."""
        self._inbox.close(self.address)

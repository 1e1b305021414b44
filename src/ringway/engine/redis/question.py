"""Questions over Redis pub/sub to the subscribers of a channel (`ports.Broker.ask_subscribers`).

A question is a message on the channel's own pub/sub channel: a byte of 2, the number of the question, a line feed, the
inbox of the asker, a line feed, and the question. Redis says to how many subscribers it has sent it.
"""

from ringway.engine.redis.inbox import RedisInbox
from ringway.ports import Answers

QUESTION = b"\2"
"""The first byte of a message that is a question."""


class RedisQuestion:
    """A question whose answers are received until `close` (`ports.OpenQuestion`)."""

    __slots__ = ("_inbox", "number")

    def __init__(self, inbox: RedisInbox, answers: Answers) -> None:
        self._inbox = inbox
        self.number = inbox.open(answers.on_answer)

    def message(self, question: bytes) -> bytes:
        """Return the message that asks `question`."""
        return b"%b%b\n%b\n%b" % (QUESTION, self.number, self._inbox.name, question)

    def close(self) -> None:
        """Stop receiving answers."""
        self._inbox.close(self.number)


def read_question(message: bytes) -> tuple[bytes, bytes, bytes] | None:
    """Return number, inbox and question of a message; None if it is malformed."""
    parts = message[1:].split(b"\n", 2)
    return (parts[0], parts[1], parts[2]) if len(parts) == 3 else None

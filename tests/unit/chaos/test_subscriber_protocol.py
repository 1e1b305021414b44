"""The requests and records of the clients under test."""

import itertools
import json

from chaos.client import BACKOFF_MAX_S, is_terminal, sdk_pause_s
from chaos.publisher_protocol import PublisherProtocol
from chaos.subscriber_protocol import SubscriberProtocol
from ringway.testing.delivery import Closed, Outcome, Published, Subscribed

CHANNEL = "room:1"


def lines(message: bytes) -> list[dict]:
    return [json.loads(line) for line in message.split(b"\n") if line]


def reply(**fields: object) -> bytes:
    return json.dumps(fields).encode()


def push(number: int, offset: int = 0, publisher: int = 1, channel: str = CHANNEL) -> bytes:
    data = {"p": publisher, "n": number, "c": channel}
    return reply(push={"channel": channel, "pub": {"data": data, "offset": offset}})


def connected(protocol: SubscriberProtocol, at: float = 1.0) -> list[dict]:
    """Greet and connect; return the subscribe commands."""
    assert lines(protocol.hello(at)) == [{"id": 1, "connect": {}}]
    welcome = {"client": "c", "ping": 25, "pong": True, "node": "node-1"}
    return lines(protocol.take(reply(id=1, connect=welcome), at))


def test_a_client_connects_subscribes_and_notes_what_comes():
    protocol = SubscriberProtocol("one", [CHANNEL, "room:2"])
    asked = connected(protocol)
    assert [each["subscribe"] for each in asked] == [{"channel": CHANNEL}, {"channel": "room:2"}]
    assert not protocol.subscribed
    protocol.take(reply(id=2, subscribe={}) + b"\n" + reply(id=3, subscribe={}), 2.0)
    assert protocol.subscribed
    assert protocol.take(push(0) + b"\n" + push(1), 3.0) == b""
    [one, two] = protocol.witness.seen
    assert list(one.number) == [0, 1]
    assert list(one.at) == [3.0, 3.0]
    assert one.events == [Subscribed(2.0, 0)]
    assert len(two) == 0


def test_pings_are_answered_and_count_as_a_sign_of_life():
    protocol = SubscriberProtocol("one", [CHANNEL])
    connected(protocol)
    assert protocol.take(b"{}", 9.0) == b"{}"
    assert protocol.heard_at == 9.0
    assert protocol.patience_s == 35.0


def test_it_recovers_from_the_newest_position_it_saw():
    protocol = SubscriberProtocol("one", [CHANNEL])
    connected(protocol)
    protocol.take(reply(id=2, subscribe={"recoverable": True, "epoch": "e", "offset": 7}), 2.0)
    protocol.take(push(0, 9), 3.0)
    protocol.lost(4.0, 1006, "")
    assert protocol.witness.closes == [(4.0, 1006, "")]
    [asked] = connected(protocol, 5.0)
    assert asked["subscribe"] == {"channel": CHANNEL, "recover": True, "epoch": "e", "offset": 9}
    missed = [{"data": {"p": 1, "n": 1, "c": CHANNEL}, "offset": 12}]
    result = {"recoverable": True, "epoch": "e", "offset": 12, "was_recovering": True, "recovered": True}
    protocol.take(reply(id=2, subscribe=result | {"publications": missed}), 6.0)
    [seen] = protocol.witness.seen
    assert list(seen.offset) == [9, 12]
    assert seen.events == [Subscribed(2.0, 0, "e", 7), Closed(4.0, 1, 1006), Subscribed(6.0, 1, "e", 12, True)]
    protocol.lost(7.0, 1012, "move")
    [asked] = connected(protocol, 8.0)
    assert asked["subscribe"]["offset"] == 12


def test_an_unsubscribe_push_is_a_loss_and_from_2500_on_an_invitation():
    protocol = SubscriberProtocol("one", [CHANNEL])
    connected(protocol)
    protocol.take(reply(id=2, subscribe={}), 2.0)
    [asked] = lines(protocol.take(reply(push={"channel": CHANNEL, "unsubscribe": {"code": 2500, "reason": "r"}}), 3.0))
    assert asked["subscribe"] == {"channel": CHANNEL}
    assert protocol.witness.seen[0].events[-1] == Closed(3.0, 0, 2500)
    assert protocol.witness.closes == []


def test_a_temporary_refusal_is_repeated_at_the_next_tick():
    protocol = SubscriberProtocol("one", [CHANNEL])
    connected(protocol)
    assert protocol.take(reply(id=2, error={"code": 100, "message": "m", "temporary": True}), 2.0) == b""
    assert [each["subscribe"]["channel"] for each in lines(protocol.tick())] == [CHANNEL]
    assert protocol.tick() == b""


def test_what_cannot_be_read_or_belongs_elsewhere_is_noted_as_made_by_nobody():
    protocol = SubscriberProtocol("one", [CHANNEL])
    connected(protocol)
    protocol.take(reply(id=2, subscribe={}), 2.0)
    protocol.take(reply(push={"channel": CHANNEL, "pub": {"data": "garbled"}}) + b"\n" + push(0), 3.0)
    stray = json.loads(push(1))
    stray["push"]["pub"]["data"]["c"] = "room:9"
    protocol.take(json.dumps(stray).encode(), 4.0)
    assert list(protocol.witness.seen[0].publisher) == [-1, 1, -1]


def protocol() -> PublisherProtocol:
    made = PublisherProtocol(Published(), itertools.count(1))
    made.hello(0.0)
    made.take(reply(id=1, connect={"client": "c"}), 0.5)
    return made


def test_a_publisher_numbers_by_channel_and_notes_what_became_of_it():
    one = protocol()
    sent = [lines(one.publish(channel, 1.0))[0] for channel in (CHANNEL, CHANNEL, "room:2", CHANNEL)]
    assert [each["publish"]["data"]["n"] for each in sent] == [0, 1, 0, 2]
    temporary, final = {"code": 100, "temporary": True}, {"code": 100}
    one.take(reply(id=2, publish={}) + b"\n" + reply(id=3, error=temporary) + b"\n" + reply(id=5, error=final), 2.0)
    assert one.published.channels[CHANNEL][1].outcome == bytes([Outcome.ACKED, Outcome.REFUSED, Outcome.UNKNOWN])
    assert one.pending == 1


def test_a_publisher_that_lost_its_connection_goes_on_as_another():
    one = protocol()
    one.publish(CHANNEL, 1.0)
    one.lost(2.0, 1006, "")
    assert one.publish(CHANNEL, 3.0) == b""
    one.hello(4.0)
    one.take(reply(id=1, connect={"client": "d"}), 4.5)
    [sent] = lines(one.publish(CHANNEL, 5.0))
    assert (sent["publish"]["data"]["p"], sent["publish"]["data"]["n"]) == (2, 0)
    assert one.published.count(Outcome.UNKNOWN) == 2
    one.take(reply(id=9, publish={}), 6.0)
    assert one.errors


class Dice:
    """Chance at its ends."""

    def __init__(self, share: float) -> None:
        self._share = share

    def uniform(self, low: float, high: float) -> float:
        return low + self._share * (high - low)


def test_pauses_are_those_of_the_sdks():
    assert [sdk_pause_s(attempt, Dice(0)) for attempt in range(4)] == [0.5] * 4
    assert [sdk_pause_s(attempt, Dice(1)) for attempt in range(7)] == [1.0, 1.5, 2.5, 4.5, 8.5, 16.5, BACKOFF_MAX_S]
    assert [is_terminal(code) for code in (1006, 1012, 3008, 3010, 3500, 4000, 4500)] == [False] * 4 + [
        True,
        False,
        True,
    ]

"""Which handshakes a node takes."""

from ringway.core.handshake_limiter import BURST_S, TICKETS_S, HandshakeLimiter

PER_S = 100.0


def taken(intake: HandshakeLimiter, count: int, now: float, *, ticket: bool = False) -> int:
    return sum(intake.admit(now, PER_S, ticket=ticket) for _ in range(count))


def test_a_few_at_once_are_no_flood() -> None:
    assert taken(HandshakeLimiter(0.0), 50, 0.0) == 50


def test_in_a_flood_as_many_are_taken_as_the_node_can_take() -> None:
    intake = HandshakeLimiter(0.0)
    counts = [taken(intake, 1000, float(second)) for second in range(5)]
    assert counts[0] == round(BURST_S * PER_S)
    assert all(abs(count - PER_S) <= 1 for count in counts[1:])


def test_those_with_a_ticket_are_let_in_first() -> None:
    intake = HandshakeLimiter(0.0)
    assert taken(intake, 1000, 0.0) == round(BURST_S * PER_S)
    assert taken(intake, 1000, 0.0, ticket=True) == round(TICKETS_S * PER_S)
    assert taken(intake, 1000, 0.5) == 0, "for what they have taken, the others wait"
    assert taken(intake, 1000, 0.5, ticket=True) == round(0.5 * PER_S)


def test_also_with_tickets_it_is_bounded() -> None:
    intake = HandshakeLimiter(0.0)
    assert taken(intake, 1000, 0.0, ticket=True) == round((BURST_S + TICKETS_S) * PER_S)
    assert abs(taken(intake, 1000, 1.0, ticket=True) - PER_S) <= 1


def test_after_a_pause_all_is_as_before() -> None:
    intake = HandshakeLimiter(0.0)
    taken(intake, 1000, 0.0)
    assert taken(intake, 1000, 60.0) == round(BURST_S * PER_S)


def test_those_refused_are_told_to_come_one_after_the_other() -> None:
    intake = HandshakeLimiter(0.0)
    pauses = [intake.pause_s(0.0, PER_S) for _ in range(300)]
    assert pauses == sorted(pauses)
    assert (pauses[0], round(pauses[-1], 2)) == (0.0, 2.99)
    assert max(intake.pause_s(0.0, PER_S) for _ in range(100_000)) <= 60.0


def come(intake: HandshakeLimiter, address: str, count: int, now: float) -> int:
    return sum(intake.admit(now, PER_S, ticket=False, address=address, share=0.75) for _ in range(count))


def test_one_address_alone_has_the_whole_rate() -> None:
    intake = HandshakeLimiter(0.0)
    counts = [come(intake, "a", 1000, float(second)) for second in range(5)]
    assert abs(counts[0] - BURST_S * PER_S) <= 1
    assert all(abs(count - PER_S) <= 1 for count in counts[1:])


def test_others_come_in_before_the_one_that_takes_all_it_can() -> None:
    intake = HandshakeLimiter(0.0)
    come(intake, "a", 1000, 0.0)
    assert come(intake, "b", 20, 0.0) == 20
    served = {"a": 0, "b": 0}
    for tick in range(1, 200):  # a comes a thousand times a second, b as often as would be its half
        served["a"] += come(intake, "a", 20, tick / 50)
        served["b"] += come(intake, "b", 1, tick / 50)
    assert served["b"] == 199
    assert served["a"] + served["b"] <= PER_S * 4 + BURST_S * PER_S

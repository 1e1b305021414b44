"""Problems of an outbox: each is logged once, and shown while it lasts."""

from ringway.outbox.problems import OutboxProblems


def test_a_problem_is_logged_once_and_shown_until_it_is_over(capsys):
    problems = OutboxProblems()
    for _ in range(3):
        problems.set("looks", "it is away")
    assert str(problems) == "it is away"
    assert capsys.readouterr().err.count("it is away") == 1
    problems.set("looks", "")
    problems.set("looks", "")
    assert str(problems) == ""
    assert capsys.readouterr().err.count("is over") == 1


def test_one_cause_is_shown_once_and_many_problems_are_counted():
    problems = OutboxProblems()
    problems.set("looks", "it is away")
    problems.set("rows", "it is away")
    assert str(problems) == "it is away"
    for number in range(10):
        problems.set(f"partition {number}", f"{number} waits")
    assert str(problems) == "it is away; 0 waits; 1 waits; and 8 more of the outbox"

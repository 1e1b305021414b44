"""The union of nodes' answers: no client missing, no client twice."""

from ringway.core.presence import CHANGES_MAX, PresenceUnion
from ringway.protocol.command import ClientInfo
from ringway.protocol.presence import PresenceAnswer

A, B, C = b"aaaa", b"bbbb", b"cccc"


def info(client: str) -> ClientInfo:
    return ClientInfo(user=client[0], client=client)


def named(*clients: str, coming: tuple[str, ...] = (), leaving: tuple[str, ...] = ()) -> PresenceAnswer:
    present = {client: info(client) for client in (*clients, *coming)}
    return PresenceAnswer(count=len(clients), clients=present, coming=list(coming), leaving=list(leaving))


def counted(count: int, *users: str, coming: tuple[str, ...] = (), leaving: tuple[str, ...] = ()) -> PresenceAnswer:
    return PresenceAnswer(count=count, users=list(users), coming=list(coming), leaving=list(leaving))


def union(*answers: PresenceAnswer, clients_max: int = 10) -> PresenceUnion:
    joined = PresenceUnion(clients_max)
    for node, answer in zip((A, B, C), answers, strict=False):
        joined.add(node, answer)
    return joined


def test_the_clients_of_all_nodes_are_present() -> None:
    joined = union(named("a1"), named("a2", "b1"), named())
    assert joined.clients == {client: info(client) for client in ("a1", "a2", "b1")}
    assert (joined.count, joined.users) == (3, 2)
    assert joined.nodes == {A, B, C}
    assert joined.present == {A, B}


def test_a_session_on_its_way_is_present_once_whoever_tells_of_it() -> None:
    for answers in (
        (named("a1", leaving=("a1",)), named(coming=("a1",))),
        (named(), named(coming=("a1",))),
        (named("a1"), named("a1")),  # asked before and after the whole move
        (counted(20, "a", leaving=("a1",)), counted(0, coming=("a1",))),
    ):
        joined = union(*answers)
        assert joined.count == (20 if answers[0].users else 1)
        assert joined.users == 1


def test_a_session_that_only_its_target_tells_of_is_counted_where_nobody_is_named() -> None:
    assert union(counted(20), counted(5, coming=("a1", "a2"), leaving=("b1",))).count == 27


def test_above_the_maximum_nobody_is_named_and_all_are_counted() -> None:
    joined = union(named("a1", "b1"), named("c1", "d1"), clients_max=3)
    assert joined.clients is None
    assert (joined.count, joined.users) == (4, 4)
    joined = union(named("a1"), counted(30, "a", "b"), named("c1"))
    assert joined.clients is None
    assert (joined.count, joined.users) == (32, 3)


def test_an_answer_that_names_fewer_than_it_counts_names_nobody() -> None:
    answer = PresenceAnswer(count=0, coming=["a1"])
    assert union(answer).clients is None
    assert union(answer).count == 1


def test_only_the_first_answer_of_a_node_counts() -> None:
    joined = union(named("a1"))
    joined.add(A, named("a2"))
    assert set(joined.clients or ()) == {"a1"}


def test_joins_and_leaves_here_change_it() -> None:
    for joined in (union(named("a1", "b1")), union(counted(2, "a", "b"))):
        assert joined.join(info("c1"))
        assert (joined.count, joined.users) == (3, 3)
        assert joined.leave("c1")
        assert joined.leave("a1")
        assert joined.count == 1
    joined = union(named("a1", "b1"), clients_max=2)
    joined.join(info("c1"))
    assert joined.clients is None
    assert joined.count == 3


def test_too_many_changes_make_it_useless() -> None:
    joined = union(counted(10_000))
    assert all(joined.leave(f"{number}") for number in range(CHANGES_MAX))
    assert not joined.join(info("a1"))

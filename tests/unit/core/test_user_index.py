"""The index of clients by user, against a plain dict of lists."""

from hypothesis import given
from hypothesis import strategies as st

from ringway.core.user_index import UserIndex

steps = st.lists(st.tuples(st.booleans(), st.sampled_from(["", "a", "b"]), st.integers(0, 5)), max_size=60)


@given(steps=steps)
def test_it_is_a_list_of_clients_of_each_user(steps: list[tuple[bool, str, int]]) -> None:
    index: UserIndex[int] = UserIndex()
    model: dict[str, list[int]] = {"": [], "a": [], "b": []}
    for adds, user, client in steps:
        if adds and client not in model[user]:
            index.add(user, client)
            model[user].append(client)
        elif not adds:
            index.remove(user, client)
            if client in model[user]:
                model[user].remove(client)
        for name in ("a", "b"):
            assert index.of(name) == model[name]
            assert index.count(name) == len(model[name])
        assert index.of("") == [], "anonymous clients are not in it"
        assert index.users == sum(bool(model[name]) for name in ("a", "b"))

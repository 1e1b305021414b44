from collections.abc import Iterator

import pytest

from ringway.net import Connector, NamesConfig, configure, connector, use


@pytest.fixture(autouse=True)
def restored() -> Iterator[None]:
    before = connector()
    yield
    use(before)


def test_all_parts_of_a_process_share_one_connector() -> None:
    assert connector() is connector()


def test_a_process_may_choose_its_settings() -> None:
    before = connector()
    configure(NamesConfig(next_address_s=7))
    assert connector() is connector() is not before


def test_another_may_be_put_in_its_place() -> None:
    other = Connector()
    use(other)
    assert connector() is other

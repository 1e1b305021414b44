"""The official SDKs, unmodified, through a gateway: `ringway up` with two nodes, all of them processes of their own."""

import asyncio
from collections.abc import Iterator

import pytest

from integration.sdk.kit import check_exchange, exchange_javascript, exchange_python, install_javascript
from support.npm import has_node
from support.system import System, running_system

COUNT = 20


@pytest.fixture(scope="module")
def system() -> Iterator[System]:
    with running_system(nodes=2) as system:
        yield system


def url_of(system: System) -> str:
    return system.gateway_url.replace("http://", "ws://") + "/connection/websocket"


def test_python(system: System) -> None:
    check_exchange(asyncio.run(exchange_python(url_of(system), "room:python", COUNT)), COUNT)


@pytest.mark.skipif(not has_node(), reason="needs Node.js and npm")
def test_javascript(system: System) -> None:
    asyncio.run(install_javascript())
    check_exchange(asyncio.run(exchange_javascript(url_of(system), "room:javascript", COUNT)), COUNT)

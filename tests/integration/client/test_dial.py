import asyncio
import socket

import pytest

from ringway.client import dial as module
from ringway.client.dial import dial


async def test_the_addresses_of_a_host_are_tried_in_turn(monkeypatch: pytest.MonkeyPatch) -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener, socket.socket() as bound:
        bound.bind(("127.0.0.1", 0))  # and not listening: refuses
        addresses = [(socket.AF_INET, one.getsockname()) for one in (bound, listener)]

        async def resolve(host: str, port: int) -> object:
            return addresses

        monkeypatch.setattr(module, "_resolve", resolve)
        with await dial("two.example", 80, 5.0) as connected:
            assert connected.getpeername() == addresses[1][1]
        addresses.pop()
        with pytest.raises(ConnectionRefusedError):
            await dial("two.example", 80, 5.0)


async def test_a_literal_address_needs_no_thread(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: object) -> None:
        raise AssertionError("a thread was asked for")

    monkeypatch.setattr(asyncio.get_running_loop(), "run_in_executor", refuse)
    with socket.create_server(("127.0.0.1", 0)) as listener:
        (await dial("127.0.0.1", listener.getsockname()[1], 5.0)).close()


async def test_a_name_is_looked_up() -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        (await dial("localhost", listener.getsockname()[1], 5.0)).close()

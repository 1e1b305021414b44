"""Orders to nodes, past the balancer: a leader's orders, sent by the harness over the engine's bus."""

import asyncio
from contextlib import AsyncExitStack
from pathlib import Path
from types import TracebackType
from typing import Self

from ringway.app.engine import open_engine, read_keyring
from ringway.app.state import find_running
from ringway.ports import Bus
from ringway.protocol.order import MoveOrder, NodeConsent, decode_node_answer, encode, node_address
from ringway.types import NodeName
from support.sealed import sealed_bus
from support.system import System

FENCE = 1 << 62
"""Above every leader's fence: a node that has received it obeys the harness alone from then on."""


class Orders:
    """Connected to the engine of `system` within its block. Its loop runs only during orders."""

    def __init__(self, system: System) -> None:
        running = find_running(Path(system.state))
        assert running is not None
        self._config = running.engine
        self._keyring = read_keyring(self._config)
        self._runner = asyncio.Runner()
        self._stack = AsyncExitStack()
        self._bus: Bus | None = None

    def __enter__(self) -> Self:
        engine = self._runner.run(self._stack.enter_async_context(open_engine(self._config, "chaos")))
        self._bus = sealed_bus(engine, self._keyring)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, value: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._runner.run(self._stack.aclose())
        self._runner.close()

    def move(self, donor: str, target: str, count: int, within_s: float) -> None:
        """Order `donor` to move `count` connections to `target`, evenly over `within_s`."""
        self._runner.run(self._move(donor, target, count, within_s))

    async def _move(self, donor: str, target: str, count: int, within_s: float) -> None:
        assert self._bus is not None
        request = encode(MoveOrder(fence=FENCE, target=NodeName(target), count=count, within_s=within_s))
        raw = await self._bus.call(node_address(NodeName(donor)), request, timeout_s=10)
        answer = decode_node_answer(raw)
        if not isinstance(answer, NodeConsent):
            raise RuntimeError(f"{donor} refused to move {count} to {target}: {answer.why}")  # noqa: TRY004

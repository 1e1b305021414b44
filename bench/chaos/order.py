"""Orders to nodes, past the balancer: what a leader would say, said by the harness over the engine's bus."""

import asyncio
from pathlib import Path

from ringway.app.engine import EngineConfig, open_engine
from ringway.app.state import find_running
from ringway.protocol.order import Done, MoveOrder, decode_node_answer, encode, node_address
from ringway.testing.system import System
from ringway.types import NodeName

FENCE = 10**12
"""Above every leader's: from here on the nodes obey the harness alone."""


def order_moves(system: System, donor: str, target: str, count: int, within_s: float) -> None:
    """Tell `donor` to move `count` connections to `target`, evenly over `within_s`."""
    running = find_running(Path(system.state))
    assert running is not None
    config = EngineConfig(url=running.engine_url, cluster=running.cluster, secret=running.secret)
    request = encode(MoveOrder(fence=FENCE, target=NodeName(target), count=count, within_s=within_s))

    async def ask() -> None:
        async with open_engine(config, "chaos") as engine:
            answer = decode_node_answer(await engine.bus.call(node_address(NodeName(donor)), request, timeout_s=10))
        if not isinstance(answer, Done):
            raise RuntimeError(f"{donor} refused to move {count} to {target}: {answer.why}")  # noqa: TRY004

    asyncio.run(ask())

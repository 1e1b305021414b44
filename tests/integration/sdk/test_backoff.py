"""The clients of the chaos scenarios that stand for the official SDK come back as it does."""

import asyncio
import json

import pytest

from chaos.client import sdk_pause_s
from integration.sdk.kit import HERE, install_javascript
from support.npm import has_node


class Dice:
    """Chance that always falls in the same place."""

    def __init__(self, share: float) -> None:
        self._share = share

    def uniform(self, low: float, high: float) -> float:
        return low + self._share * (high - low)


@pytest.mark.skipif(not has_node(), reason="needs Node.js and npm")
@pytest.mark.parametrize("share", [0.0, 0.5, 0.999999])
async def test_pauses_before_a_reconnect(share: float) -> None:
    await install_javascript()
    process = await asyncio.create_subprocess_exec(
        "node", "backoff.mjs", str(share), cwd=HERE, stdout=asyncio.subprocess.PIPE
    )
    out, _ = await asyncio.wait_for(process.communicate(), 30)
    assert process.returncode == 0
    pauses_s = [pause / 1000 for pause in json.loads(out)]
    assert len(pauses_s) == 7
    assert pauses_s == pytest.approx([sdk_pause_s(attempt, Dice(share)) for attempt in range(7)], abs=0.002)

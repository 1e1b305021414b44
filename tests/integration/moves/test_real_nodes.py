"""Sockets over real nodes that hand sessions over: commands are carried out once, publications come in order."""

import asyncio
import shutil
from pathlib import Path

import pytest

import ringway
from integration.moves.chromium import has_chromium, running_chromium
from integration.moves.cluster import until
from integration.moves.kit import CLIENT, PAGES, is_built
from integration.moves.real import RealCluster

pytestmark = pytest.mark.timeout(180)

MOVES = 20


async def test_a_python_client_is_moved_and_loses_nothing() -> None:
    events: list[ringway.Event] = []
    config = ringway.ClientConfig(moves_burst=MOVES)
    async with (
        RealCluster("n1", "n2") as cluster,
        ringway.Client(cluster.url, config=config, on_event=events.append) as client,
    ):
        over = False

        async def publish() -> int:
            count = 0
            while not over:
                await client.publish("room", count)
                count += 1
            return count

        received: list[int] = []
        room = client.subscribe("room", on_publication=lambda publication: received.append(publication.data))
        await room.wait_confirmed()
        publishing = asyncio.create_task(publish())
        for _ in range(MOVES):
            await cluster.move_all()
            await asyncio.sleep(0.02)
        over = True
        count = await publishing
        await until(lambda: len(received) >= count, "the last publication")
        assert received == list(range(count))
        assert client.moves == MOVES
        assert count > MOVES
    assert [type(event) for event in events] == [ringway.Connected, *[ringway.Moved] * MOVES, ringway.Disconnected]


@pytest.mark.browser
@pytest.mark.skipif(not has_chromium(), reason="needs Debian's chromium")
@pytest.mark.skipif(not is_built(), reason="needs the TypeScript client; scripts/test builds it")
async def test_a_page_is_moved_and_loses_nothing(tmp_path: Path) -> None:
    shutil.copy(CLIENT, tmp_path / "ringway.js")
    shutil.copy(PAGES / "channels.html", tmp_path / "index.html")
    async with RealCluster("n1", "n2", "n3", pages=str(tmp_path)) as cluster, running_chromium() as chromium:
        page = await chromium.open(f"{cluster.url}/")
        await page.until("globalThis.seen?.received.length > 10")
        for _ in range(MOVES):
            await cluster.move_all()
        await page.evaluate("seen.over = true")
        await page.until("seen.received.length == seen.published && seen.replies.length == seen.published + 2")
        seen = await page.evaluate("seen")
        handed_over = sum(node.stats.handovers for node in cluster.nodes.values())
    assert seen["received"] == list(range(seen["published"]))
    assert seen["replies"] == list(range(1, seen["published"] + 3))
    assert (seen["refused"], seen["closes"], page.errors) == ([], [], [])
    assert seen["moves"] == handed_over == MOVES

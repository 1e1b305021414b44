"""Moves in a real browser: messages of both directions during a move arrive once and in order."""

import asyncio

import pytest

from integration.moves.chromium import has_chromium, running_chromium
from integration.moves.cluster import Cluster, until
from integration.moves.kit import CLIENT, PAGES, is_built, numbers
from integration.moves.node import Session

pytestmark = [
    pytest.mark.browser,
    pytest.mark.timeout(300),
    pytest.mark.skipif(not has_chromium(), reason="needs Debian's chromium"),
    pytest.mark.skipif(not is_built(), reason="needs the TypeScript client; scripts/test builds it"),
]

INTERFACE = (
    *("constants", "refusedArguments", "fresh", "closedWhileConnecting", "refusedClose", "exchange"),
    *("closedByTheServer", "cutByTheServer", "refused", "handlers"),
)
MOVES = 60
MESSAGES_MIN = 5000


async def test_nothing_is_lost_doubled_or_reordered_while_a_page_is_moved() -> None:
    """PROTOCOL.md P-7.10."""
    async with Cluster("n1", "n2", "n3") as cluster, running_chromium() as chromium:
        cluster.gateway.files["/ringway.js"] = CLIENT
        cluster.gateway.pages["/"] = (PAGES / "stress.html").read_text()
        await chromium.open(cluster.gateway.url)
        await until(lambda: cluster.sessions and cluster.session.received, "the page's first message")
        session = cluster.session
        sent = 0
        for move in range(MOVES):
            cluster.commit_after_s = (0.0, 0.0, 0.02)[move % 3]  # the client comes before the commit, too
            cluster.move(session)
            for pause_s in (0.0, 0.003, 0.01):
                session.send(str(sent))
                sent += 1
                await asyncio.sleep(pause_s)
            await until(lambda: session.peer or session.over, "the session's return")
            assert session.over is None, f"the session ended in move {move}: {session.over}"
        await until(lambda: len(session.received) >= MESSAGES_MIN, "enough messages")
        session.send("stop")
        seen = await asyncio.wait_for(cluster.gateway.reports.get(), 60)
        await until(lambda: session.over, "the page's close")
    print(f"{seen['sent']} sent over {seen['moves']} moves, {seen['heldBytes']} bytes of them during moves")  # noqa: T201
    assert session.moves == seen["moves"] == MOVES
    assert numbers(session) == list(range(seen["sent"]))
    assert session.received[-1] == f"end {seen['sent']}"
    assert seen["received"] == list(range(sent))
    assert (seen["closes"], seen["errors"]) == ([[3210, "done"]], 0)
    assert session.over == (3210, "done")
    assert len(cluster.sessions) == 1


async def test_the_interface_is_the_browsers_own() -> None:
    """Every check is run with the browser's class, with ours over a node's URL, and with ours over a gateway."""

    def answer(session: Session, message: str | bytes) -> None:
        assert session.peer is not None
        if message == "close me":
            session.peer.close(4321, "as you wish")
        elif message == "cut me":
            session.peer.writer.transport.abort()
        else:
            session.send(message)

    async with Cluster("n1") as cluster, running_chromium() as chromium:
        cluster.on_message = answer
        cluster.gateway.files["/ringway.js"] = CLIENT
        cluster.gateway.pages["/"] = (PAGES / "interface.html").read_text()
        page = await chromium.open(f"{cluster.gateway.url}/?node={cluster.first.url}")
        reporting = asyncio.create_task(cluster.gateway.reports.get())
        await until(lambda: reporting.done() or page.errors, "the report")
        assert not page.errors
        report = await reporting
    assert tuple(report) == INTERFACE
    for check, (browsers, *ours) in report.items():
        assert all(each == browsers for each in ours), check

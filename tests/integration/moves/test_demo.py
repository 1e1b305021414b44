"""The demo page as people use it: two talk while the node of one is drained, and its page does not notice."""

import asyncio
from collections.abc import Iterator

import pytest

from integration.moves.chromium import Chromium, Page, has_chromium, running_chromium
from integration.moves.kit import ROOT
from support.system import System, running_system

DEMO = ROOT / "examples" / "chat" / "dist"

pytestmark = [
    pytest.mark.browser,
    pytest.mark.timeout(240),
    pytest.mark.skipif(not has_chromium(), reason="needs Debian's chromium"),
    pytest.mark.skipif(not (DEMO / "chat.js").exists(), reason="needs the demo page; scripts/test builds it"),
]

UP = "document.getElementById('state').classList.contains('up')"
SAID = "[...document.querySelectorAll('#messages .said')].map((each) => each.textContent)"


@pytest.fixture(scope="module")
def system() -> Iterator[System]:
    with running_system("--pages", str(DEMO)) as system:
        yield system


async def enter(chromium: Chromium, url: str) -> Page:
    page = await chromium.open(url)
    await page.until(UP, 60)
    await page.until("document.querySelectorAll('#nodes li').length > 0")
    return page


async def say(page: Page, text: str) -> None:
    await page.evaluate(f"document.getElementById('text').value = {text!r}")
    await page.evaluate("document.getElementById('form').requestSubmit()")


def shows(name: str) -> str:
    return f"document.getElementById('{name}').textContent"


async def test_two_visitors_talk_while_the_node_of_one_is_drained(system: System) -> None:
    async with running_chromium() as chromium:
        alice = await enter(chromium, f"{system.gateway_url}/")
        bob = await enter(chromium, f"{system.gateway_url.replace('127.0.0.1', 'localhost')}/")
        for number in range(3):
            await say(alice, f"before {number}")
        await bob.until(f"{SAID}.length == 3")
        node = await alice.evaluate("document.querySelector('#served strong').textContent")
        draining = asyncio.create_task(asyncio.to_thread(system.ringway, "drain", node))
        for number in range(20):
            await say(alice, f"during {number}")
            await asyncio.sleep(0.1)
        await alice.until(f"Number({shows('moves')}) > 0", 90)
        await draining
        await say(alice, "after")
        await bob.until(f"{SAID}.length == 24")
        expected = [*(f"before {n}" for n in range(3)), *(f"during {n}" for n in range(20)), "after"]
        assert await bob.evaluate(SAID) == expected
        await alice.until(f"{SAID}.length == 24")
        assert await alice.evaluate(SAID) == expected
        assert await alice.evaluate("document.querySelector('#served strong').textContent") != node
        assert await alice.evaluate("document.querySelector('#log .chat-moved .way').textContent") != ""
        for page in (alice, bob):
            assert await page.evaluate(shows("disconnects")) == "0"
            assert " 0 missing" in await page.evaluate(shows("counted"))
            assert not page.errors

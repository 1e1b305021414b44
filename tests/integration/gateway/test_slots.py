"""A crowd at the gateway: each client gets its slot, is held until it, or gets the time of its next attempt."""

import asyncio
import json
import time

from cluster_kit import cluster, node
from gateway_kit import handshake

ACCEPT_PER_S = 40.0
"""What the node says that it can take; half of it is for newcomers."""


async def test_proxied_clients_are_held_until_their_slot_and_the_others_told_when_to_come_again():
    async with cluster(slot_hold_s=1.0) as made, node() as (url, targets):
        await made.join("n1", url, accept_per_s=ACCEPT_PER_S)
        began = time.monotonic()
        came: list[float] = []

        async def open_one() -> tuple[int, dict[str, str], dict]:
            raw = await made.dial()
            await raw.send(handshake("/chat"))
            status, headers = await raw.head()
            if status == 101:
                came.append(time.monotonic() - began)
                return status, headers, {}
            return status, headers, json.loads(await raw.reader.readexactly(int(headers["content-length"])))

        answers = await asyncio.gather(*(open_one() for _ in range(80)))
        let_in = [answer for answer in answers if answer[0] == 101]
        turned_away = [answer for answer in answers if answer[0] != 101]
        # Those of the burst, and of the second for which they are held; the dialling itself takes a moment too.
        spent_s = max(came)
        assert 20 <= len(let_in) <= 0.5 * ACCEPT_PER_S * (spent_s + 0.2) + 2
        assert len(targets) == len(let_in), "nobody else was sent to the node"
        assert {status for status, _, _ in turned_away} == {503}
        assert all(int(headers["retry-after"]) >= 1 and body["wait_ms"] > 0 for _, headers, body in turned_away)
        spread = sorted(body["wait_ms"] for _, _, body in turned_away)
        assert spread[-1] - spread[0] >= 1000, "they do not come back at one moment"
        assert made.gateway.stats.turned_away == len(turned_away)
        assert made.gateway.stats.slots >= 15


async def test_discovery_tells_the_slot_and_the_window():
    async with cluster() as made:
        await made.join("n1", "ws://10.0.0.1:1/connection/websocket", accept_per_s=ACCEPT_PER_S, connections=40)
        answers = [(await made.get("/gateway"))[1] for _ in range(40)]
        waits = [body.get("wait_ms", 0) for body in answers]
        assert waits[0] == 0
        assert waits[-1] > 500
        assert {body["reconnect_window_ms"] for body in answers} == {2400}, "40 at 20 a second, and a fifth more"


async def test_slots_and_window_can_be_switched_off():
    async with cluster(slot_wait_s=0.0, reconnect_window=False) as made:
        await made.join("n1", "ws://10.0.0.1:1/connection/websocket", accept_per_s=ACCEPT_PER_S, connections=40)
        answers = [(await made.get("/gateway"))[1] for _ in range(40)]
        assert all("wait_ms" not in body and "reconnect_window_ms" not in body for body in answers)

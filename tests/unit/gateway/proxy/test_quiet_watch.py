"""The wait for a quiet moment: an answer of the node brings it nearer."""

import asyncio
from collections.abc import Callable
from contextlib import contextmanager
from types import SimpleNamespace

from ringway.core.quiet import UNANSWERED
from ringway.gateway.proxy.quiet_watch import CONFIRM_S, QuietWatch
from ringway.protocol.frame import TEXT, client_frame, server_frame

QUIET_S = 0.4


def relay_end(other=None):
    """Return an end of a relay at rest."""
    transport = SimpleNamespace(
        set_protocol=lambda protocol: None, get_write_buffer_size=lambda: 0, is_closing=lambda: False,
        get_extra_info=lambda name: None,
    )  # fmt: skip
    return SimpleNamespace(
        transport=transport, other=other, tracker=SimpleNamespace(between_messages=True), is_lost=False,
        data_received=lambda data: None,
    )  # fmt: skip


async def test_a_relay_is_left_at_the_first_quiet_moment_after_an_answer_of_the_node():
    loop, quiet_at = asyncio.get_running_loop(), asyncio.get_running_loop().create_future()
    watch = QuietWatch(relay_end(relay_end()), QUIET_S, 30.0, lambda: quiet_at.set_result(loop.time()))
    began = loop.time()
    watch.data_received(server_frame(TEXT, b"answer"))
    waited_s = await asyncio.wait_for(quiet_at, 10) - began
    watch.end_watch()
    assert QUIET_S <= waited_s < UNANSWERED * QUIET_S, "it waits as if the answer were still due"


class FakeLoop:
    """A loop whose time is set by the test, with at most one timer that counts."""

    def __init__(self) -> None:
        self.now = 0.0
        self.timers: list[SimpleNamespace] = []

    def time(self) -> float:
        return self.now

    def call_later(self, delay_s: float, callback: Callable[[], None]) -> SimpleNamespace:
        due_at = self.now + delay_s
        timer = SimpleNamespace(when=lambda: due_at, callback=callback, is_over=False)
        timer.cancel = lambda: setattr(timer, "is_over", True)
        self.timers.append(timer)
        return timer

    def advance(self, to: float) -> None:
        while due := [timer for timer in self.timers if not timer.is_over and timer.when() <= to]:
            first = min(due, key=lambda timer: timer.when())
            first.is_over, self.now = True, first.when()
            first.callback()
        self.now = to


def talking(monkeypatch, until: float) -> tuple[FakeLoop, QuietWatch, list[float]]:
    """Return a watch of a client that asked every 0.3 s, and was answered, until `until`; and when it was quiet."""
    loop = FakeLoop()
    monkeypatch.setattr(asyncio, "get_running_loop", lambda: loop)
    quiet_at: list[float] = []
    watch = QuietWatch(relay_end(relay_end()), QUIET_S, 30.0, lambda: quiet_at.append(loop.now))
    while loop.now < until and not quiet_at:
        loop.advance(loop.now + 0.3)
        watch.on_client_data(client_frame(TEXT, b"question"))
        watch.data_received(server_frame(TEXT, b"answer"))
    return loop, watch, quiet_at


def test_what_the_client_has_said_is_read_before_its_silence_counts(monkeypatch):
    loop, watch, quiet_at = talking(monkeypatch, 12.0)
    loop.now += QUIET_S + 0.1  # the loop was busy: it has read neither timers nor sockets
    watch.data_received(server_frame(TEXT, b"tick"))
    watch.on_client_data(client_frame(TEXT, b"question"))
    loop.advance(loop.now + 2 * CONFIRM_S)
    assert quiet_at == []


def test_a_node_that_sends_on_and_on_does_not_put_that_off(monkeypatch):
    loop, watch, quiet_at = talking(monkeypatch, 12.0)
    loop.now += QUIET_S + 0.1
    for _ in range(5):
        watch.data_received(server_frame(TEXT, b"tick"))
        loop.advance(loop.now + CONFIRM_S / 4)
    assert quiet_at


def test_a_client_that_asks_behind_each_answer_is_left_at_once_behind_one_in_the_end(monkeypatch):
    loop, watch, quiet_at = talking(monkeypatch, 19.5)
    loop.advance(19.9)
    watch.on_client_data(client_frame(TEXT, b"question"))
    loop.advance(20.1)
    assert quiet_at == []
    watch.data_received(server_frame(TEXT, b"answer"))
    assert quiet_at == [20.1]


def test_a_question_that_has_arrived_and_was_not_read_yet_ends_the_quiet_moment(monkeypatch):
    waiting = [0]
    monkeypatch.setattr("ringway.gateway.proxy.quiet_watch.unread_bytes", lambda transport: waiting[0])
    loop, watch, quiet_at = talking(monkeypatch, 19.8)
    assert quiet_at == []
    loop.now, waiting[0] = 20.1, 20  # the loop was busy; from now on the relay is cut right behind an answer
    watch.data_received(server_frame(TEXT, b"answer"))
    assert quiet_at == []
    waiting[0] = 0
    watch.on_client_data(client_frame(TEXT, b"question"))
    loop.advance(loop.now + 2 * CONFIRM_S)
    assert quiet_at == [], "the question is under way"
    watch.data_received(server_frame(TEXT, b"answer"))
    assert quiet_at == [loop.now]


def test_the_answer_behind_which_a_relay_is_cut_leaves_together_with_the_close(monkeypatch):
    cuts: list[int] = []  # before and after each block whose writes leave together

    @contextmanager
    def cork(transport):
        cuts.append(len(quiet_at))
        yield
        cuts.append(len(quiet_at))

    monkeypatch.setattr("ringway.gateway.proxy.quiet_watch.corked", cork)
    loop, watch, quiet_at = talking(monkeypatch, 19.8)
    assert cuts == [], "most of the time each message leaves by itself"
    loop.now = 20.1
    watch.data_received(server_frame(TEXT, b"answer"))
    assert cuts == [0, 1]

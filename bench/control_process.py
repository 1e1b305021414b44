"""Process that the control benchmark watches: `control_process.py gateway|node ARGUMENTS` runs that command of
`ringway`, and `control_process.py idle` an idle loop with a fixed piece of work twenty times a second, as the reference
for the machine's own delays.

It obeys JSON lines on standard input and answers each with one line on standard output:

    {"do": "watch"}                   watch the turns of the event loop from now on
    {"do": "watched"}                 stop; print the longest turn, and the lateness of the loop
    {"do": "received", "port": 4222}  the bytes that came over the connections to that port
    {"do": "slowness"}                the time of the work since the last question, as a multiple of its best time
    {"do": "profile"}                 sample the event loop's work from now on
    {"do": "profiled"}                stop; print the functions with the most time, and the work of the longest turn

A timer is due every `PERIOD_S`. The processor time of the thread since the previous timer is the cost of the turns in
between: an upper bound of the longest turn, at most `PERIOD_S` too high. Time in which the machine ran
other processes is in the lateness of the timer, and not in it.
"""

import asyncio
import gc
import json
import os
import signal
import socket
import struct
import sys
import threading
import time
from collections import Counter
from contextlib import suppress
from types import FrameType
from typing import Any

import uvloop

PERIOD_S = 0.002

BYTES_RECEIVED = struct.Struct("<Q")
BYTES_RECEIVED_AT = 128
"""The offset of tcpi_bytes_received in Linux's struct tcp_info."""

SAMPLE_S = 0.002

WORK_S = 0.05

PROFILE_LINES = 60


class LoopWatch:
    """Watches the turns of `loop`. It must be called in the loop's thread."""

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        self._loop = loop
        self._timer: asyncio.TimerHandle | None = None
        self._at = self._used = 0.0
        self.turn_s = self.late_s = self.collection_s = 0.0
        self.turn_at = 0.0, 0.0
        """When the longest turn began and ended."""

    def start(self) -> None:
        """Watch from now on."""
        self.turn_s = self.late_s = self.collection_s = 0.0
        self._at, self._used = time.perf_counter(), time.thread_time()
        self._timer = self._loop.call_later(PERIOD_S, self._on_timer)
        gc.callbacks.append(self._on_collection)

    def stop(self) -> None:
        """End the watch; a turn that has run until now counts."""
        if self._timer is not None:
            self._measure()
            self._timer.cancel()
            self._timer = None
            gc.callbacks.remove(self._on_collection)

    def _measure(self) -> None:
        at, used = time.perf_counter(), time.thread_time()
        if used - self._used > self.turn_s:
            self.turn_s, self.turn_at = used - self._used, (self._at, at)
        self.late_s = max(self.late_s, at - self._at - PERIOD_S)
        self._at, self._used = at, used

    def _on_collection(self, phase: str, info: dict[str, int]) -> None:
        if phase == "start":
            self._collection_at = time.thread_time()
        else:
            self.collection_s = max(self.collection_s, time.thread_time() - self._collection_at)

    def _on_timer(self) -> None:
        self._measure()
        self._timer = self._loop.call_later(PERIOD_S, self._on_timer)


class Yardstick:
    """The time of a fixed piece of work, now and at its best."""

    def __init__(self) -> None:
        self._best_s = float("inf")
        self._taken_s: list[float] = []

    async def run(self) -> None:
        """Work for ever."""
        while True:
            began = time.thread_time()
            work()
            taken_s = time.thread_time() - began
            self._taken_s.append(taken_s)
            self._best_s = min(self._best_s, taken_s)
            await asyncio.sleep(WORK_S)

    def slowness(self) -> float:
        """How many times longer the work has taken on average, since the last call, than at its best."""
        taken_s, self._taken_s = self._taken_s, []
        return sum(taken_s) / max(1, len(taken_s)) / self._best_s


def work() -> int:
    """Make and read a dictionary: some tenths of a millisecond."""
    members = {number: (number, str(number)) for number in range(500)}
    return sum(len(text) for _, text in members.values())


class Sampler:
    """Looks at what the loop's thread does, after every `SAMPLE_S` of processor time. It must be called in the thread.

    A thread that looks would mostly see the loop where it waits, since only there it lets another thread run.
    """

    def __init__(self) -> None:
        self._samples: list[tuple[float, tuple[str, ...]]] = []
        signal.signal(signal.SIGPROF, self._on_signal)
        signal.setitimer(signal.ITIMER_PROF, SAMPLE_S, SAMPLE_S)

    def stop(self, turn_at: tuple[float, float]) -> str:
        """Return where the time went: in all, and between the two times."""
        signal.setitimer(signal.ITIMER_PROF, 0.0)
        turn = [stack for at, stack in self._samples if turn_at[0] <= at <= turn_at[1]]
        samples = len(self._samples) or 1
        return "\n\n".join(
            (
                "in functions themselves\n" + _shares(Counter(stack[-1] for _, stack in self._samples), samples),
                "in functions and what they call\n"
                + _shares(Counter(name for _, stack in self._samples for name in set(stack)), samples),
                "in the longest turn\n"
                + _shares(Counter(name for stack in turn for name in set(stack)), len(turn) or 1),
            )
        )

    def _on_signal(self, number: int, frame: FrameType | None) -> None:
        self._samples.append((time.perf_counter(), tuple(_names(frame))))


def _names(frame: FrameType | None) -> list[str]:
    names: list[str] = []
    while frame is not None:
        names.insert(0, f"{frame.f_code.co_filename.rpartition('/ringway/')[2]}:{frame.f_code.co_qualname}")
        frame = frame.f_back
    return names or ["idle"]


def _shares(counts: Counter[str], total: int) -> str:
    return "\n".join(
        f"{100 * count / total:6.1f} %  {count:6}  {name}" for name, count in counts.most_common(PROFILE_LINES)
    )


def received_bytes(port: int) -> int:
    """The bytes that came over this process's connections to `port`."""
    total = 0
    for descriptor in os.listdir("/proc/self/fd"):
        with suppress(OSError):
            copy = socket.socket(fileno=os.dup(int(descriptor)))
            with copy:
                if copy.family == socket.AF_INET and copy.getpeername()[1] == port:
                    info = copy.getsockopt(socket.IPPROTO_TCP, socket.TCP_INFO, 256)
                    total += BYTES_RECEIVED.unpack_from(info, BYTES_RECEIVED_AT)[0]
    return total


class Watched:
    """Carries out the requests, in the loop's thread."""

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        self._watch = LoopWatch(loop)
        self._sampler: Sampler | None = None

    async def carry_out(self, request: dict[str, Any]) -> dict[str, Any]:
        """Return the answer to one request."""
        match request["do"]:
            case "watch":
                self._watch.start()
            case "watched":
                self._watch.stop()
                return {
                    "turn_ms": self._watch.turn_s * 1000,
                    "late_ms": self._watch.late_s * 1000,
                    "collection_ms": self._watch.collection_s * 1000,
                }
            case "slowness":
                return {"times": yardstick.slowness()}
            case "received":
                return {"bytes": received_bytes(request["port"])}
            case "profile":
                self._watch.start()
                self._sampler = Sampler()
            case "profiled":
                self._watch.stop()
                assert self._sampler is not None
                return {
                    "profile": self._sampler.stop(self._watch.turn_at),
                    "turn_ms": self._watch.turn_s * 1000,
                    "collection_ms": self._watch.collection_s * 1000,
                }
        return {}


def obey(loop: asyncio.AbstractEventLoop) -> None:
    """Carry out the requests on standard input, and end the process with it."""
    watched = Watched(loop)
    for line in sys.stdin:
        answer = asyncio.run_coroutine_threadsafe(watched.carry_out(json.loads(line)), loop).result()
        with suppress(Exception):  # the benchmark has ended
            print(json.dumps(answer), flush=True)
    os.kill(os.getpid(), signal.SIGTERM)


def make_loop() -> uvloop.Loop:
    """Return the loop of the process, which obeys from now on."""
    loop = make_uvloop()
    threading.Thread(target=obey, args=(loop,), daemon=True).start()
    return loop


make_uvloop = uvloop.new_event_loop
yardstick = Yardstick()

if __name__ == "__main__":
    if sys.argv[1] == "idle":
        with asyncio.Runner(loop_factory=make_loop) as runner:
            runner.run(yardstick.run())
    uvloop.new_event_loop = make_loop  # the commands of `ringway` make their loops by it
    from ringway.cli.entry import main

    main()

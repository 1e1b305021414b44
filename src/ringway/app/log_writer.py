"""The output of the log: a bounded queue of lines, and a thread that writes them.

A full disk, a pipe whose reader has ended or does not read, a slow terminal: none of these may stop the traffic or end
the process. So only this thread waits for writes. Overflow rule: a line is dropped and counted if the queue is full, or
if it cannot be written. A line of its own gives the count as soon as writing works again.

`logging.handlers.QueueHandler` does not fit: its queue is bounded in records, not in bytes. If the queue is full, or a
write fails, it prints a traceback to the stream that is in trouble.
"""

import os
import queue
import select
import threading
from collections.abc import Callable, Sequence

CHUNK_BYTES = 65536
"""Waiting lines are written together up to this size: as much as a pipe holds."""

RETRY_S = 1.0
"""The pause after a failed write, and between checks for lines that are due later."""

Tick = Callable[[], Sequence[str]]
"""Returns the lines that are due; the thread calls it about once a second while `pending` is true."""


class LogWriter:
    """Writes lines to `descriptor`; without a descriptor it drops all lines.

    `notice` makes the line with the number of dropped lines. `tick` returns lines that are due later, while `pending`
    is true. The thread starts with the first line.
    """

    def __init__(
        self,
        descriptor: int | None,
        bytes_max: int,
        notice: Callable[[int], str],
        tick: Tick = tuple,
        pending: Callable[[], bool] = lambda: False,
        *,
        encoding: str = "utf-8",
        errors: str = "backslashreplace",
    ) -> None:
        self._descriptor = descriptor
        self._bytes_max = bytes_max
        self._notice = notice
        self._tick = tick
        self._pending = pending
        self._encoding = encoding
        self._errors = errors
        self._queue: queue.SimpleQueue[bytes | None] = queue.SimpleQueue()
        self._lock = threading.RLock()  # reentrant: code that the garbage collector runs may write a line
        self._thread: threading.Thread | None = None
        self._stop = threading.Event()
        self._put_bytes = 0
        self._taken_bytes = 0  # written only by the thread
        self._overflowed = 0
        self._failed = 0  # written only by the thread
        self._told = 0
        self._torn = False  # true if the last written line has no end
        self.lines = 0

    @property
    def dropped(self) -> int:
        """Number of dropped lines: the queue was full, or they could not be written."""
        return self._overflowed + self._failed

    @property
    def closing(self) -> bool:
        """True if `close` was called."""
        return self._stop.is_set()

    def write(self, line: str) -> None:
        """Write `line`, which has no line feed at its end, soon. Never waits, never raises."""
        raw = self._encode(line)
        with self._lock:
            self.lines += 1
            if self._stop.is_set() or self._put_bytes - self._taken_bytes + len(raw) > self._bytes_max:
                self._overflowed += 1
                return
            self._put_bytes += len(raw)
            self._queue.put(raw)
            self._start()

    def wake(self) -> None:
        """Wake the thread, because lines are due later."""
        with self._lock:
            self._queue.put(b"")
            self._start()

    def close(self, within_s: float) -> None:
        """Write the waiting lines, for at most `within_s`; the rest is lost. Idempotent."""
        with self._lock:
            self._stop.set()
            thread = self._thread
        if thread is not None:
            self._queue.put(None)
            thread.join(within_s)

    def _encode(self, line: str) -> bytes:
        return f"{line}\n".encode(self._encoding, self._errors)

    def _start(self) -> None:
        if self._thread is None:
            # A daemon, because a write to a pipe that nobody reads never returns.
            self._thread = threading.Thread(target=self._run, name="log", daemon=True)
            self._thread.start()

    def _run(self) -> None:
        ended = False
        while not ended:
            lines, size, ended = self._next()
            lines += [self._encode(line) for line in self._tick()]
            missing = self.dropped - self._told
            if missing:
                lines.insert(0, self._encode(self._notice(missing)))
            if not lines:
                continue
            left = self._write(lines)
            self._taken_bytes += size
            if missing and left < len(lines):
                self._told += missing
            if left:
                self._failed += left - (1 if missing and left == len(lines) else 0)
                self._stop.wait(RETRY_S)  # a pause for the stream in trouble

    def _next(self) -> tuple[list[bytes], int, bool]:
        """Wait for lines; return some waiting lines, their size, and true if they are the last."""
        later = self._pending() or self.dropped > self._told
        lines: list[bytes] = []
        size = 0
        try:
            line = self._queue.get(timeout=RETRY_S if later else None)
            while line is not None:
                if line:
                    lines.append(line)
                size += len(line)
                if size >= CHUNK_BYTES:
                    return lines, size, False
                line = self._queue.get_nowait()
        except queue.Empty:
            return lines, size, False
        return lines, size, True

    def _write(self, lines: Sequence[bytes]) -> int:
        """Write `lines`; return the number of lines that were not written whole."""
        data = memoryview((b"\n" if self._torn else b"") + b"".join(lines))
        lead = 1 if self._torn else 0
        done = 0
        while done < len(data):
            try:
                done += self._put(data[done:])
            except OSError:
                break
        end, whole = lead, 0
        for line in lines:
            end += len(line)
            if end > done:
                break
            whole += 1
        if done:
            self._torn = data[done - 1] != 0x0A
        return len(lines) - whole

    def _put(self, data: memoryview) -> int:
        if self._descriptor is None:
            raise OSError("there is no stream to write to")
        try:
            return os.write(self._descriptor, data)
        except BlockingIOError:  # a process that shares the terminal has set it to non-blocking
            select.select((), (self._descriptor,), (), RETRY_S)
            if self._stop.is_set():
                raise
            return 0

"""Lookups of names: at most one lookup of a name at a time, shared by all callers, and the last good answer is cached.

The C library answers (`getaddrinfo`): only it reads /etc/hosts, nsswitch.conf, search domains and `ndots` as the other
programs of this machine do (docs/adr/0013). It cannot be interrupted, and takes half a minute if a name server does not
answer. So each lookup has a thread of its own, which delays no other name:

- An answer is fresh for `fresh_s`. Then the next caller starts a lookup, and all callers wait for it.
- If the lookup takes longer than `late_s`, or fails, the last good answer is used for up to `kept_s`; for `gone_s` if
  the name servers say that the name does not exist.
- If no answer is kept, a call after the lookup has taken `silent_s` raises an error at once.
- After a failure there is a pause of `retry_s`. If no answer is kept, a call in the pause raises the same error.
- Overflow rule: at most `lookups_max` lookups are under way, and half of these places are for names whose last lookup
  succeeded. The others wait in the order in which they were first asked for, until their callers give up.

Usable from several event loops and threads at one time. `clock` is monotonic.
"""

import asyncio
import socket
import threading
import time
from collections import OrderedDict, deque
from collections.abc import Callable
from concurrent.futures import Future
from typing import cast

from ringway.net.config import NamesConfig

Sockaddr = tuple[str, int] | tuple[str, int, int, int]

Found = tuple[tuple[socket.AddressFamily, Sockaddr], ...]
"""The addresses of a name, with port 0, in the order in which RFC 6724 wants them tried."""


def ask_system(host: str) -> Found:
    """Return the addresses of `host` from the C library; raise `OSError`. Blocks for as long as the lookup takes."""
    try:
        return addresses_of(host, 0)
    except UnicodeError:  # a part that is too long or empty
        raise socket.gaierror(socket.EAI_NONAME, "Name cannot exist") from None


def addresses_of(host: str, flags: int) -> Found:
    """Return the addresses of `host` from `getaddrinfo`, each address once."""
    found = socket.getaddrinfo(host, None, type=socket.SOCK_STREAM, flags=flags)
    known = (socket.AF_INET, socket.AF_INET6)
    return tuple(
        dict.fromkeys((family, cast(Sockaddr, address)) for family, _, _, _, address in found if family in known)
    )


class _Name:
    """The knowledge about one name."""

    __slots__ = ("asked_at", "error", "failed_at", "found", "found_at", "lookup")

    def __init__(self) -> None:
        self.found: Found = ()
        self.found_at = 0.0
        self.error: OSError | None = None  # of the last lookup
        self.failed_at = 0.0
        self.lookup: Future[Found] | None = None  # the lookup that waits or is under way
        self.asked_at = 0.0  # the time of the request for the lookup


class Resolver:
    """The names that a process knows, and their lookups. `lookup` is called in threads."""

    def __init__(
        self,
        config: NamesConfig | None = None,
        lookup: Callable[[str], Found] = ask_system,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._config = config or NamesConfig()
        self._lookup = lookup
        self._clock = clock
        self._lock = threading.Lock()
        self._names: OrderedDict[str, _Name] = OrderedDict()  # the name asked for longest ago first
        self._proven: deque[str] = deque()  # waiting for a thread; their last lookup succeeded
        self._unproven: deque[str] = deque()
        self._threads = 0
        self._threads_unproven = 0

    async def find(self, host: str) -> Found:
        """Return the addresses of `host`, at least one. It has no deadline of its own.

        Raise `OSError` if the name has no address, or cannot be looked up now.
        """
        now = self._clock()
        with self._lock:
            name = self._name(host)
            kept = self._kept(name, now)
            if kept and now - name.found_at < self._config.fresh_s:
                return kept
            if name.error is not None and now - name.failed_at < self._config.retry_s:
                if kept:
                    return kept
                raise _again(name.error)
            lookup = name.lookup or self._begin(host, name, now)
            waited = now - name.asked_at
        if not kept and waited >= self._config.silent_s:
            text = f"the name {host!r} has been looked up for {waited:.1f} s: no name server answers"
            raise socket.gaierror(socket.EAI_AGAIN, text)
        if not kept:
            return await _answer(lookup)
        late = self._config.late_s - waited
        if late <= 0:
            return kept
        try:
            async with asyncio.timeout(late):
                return await _answer(lookup)
        except OSError as error:  # TimeoutError is one
            if _is_gone(error) and now - name.found_at >= self._config.gone_s:
                raise
            return kept

    def doubt(self, host: str) -> None:
        """Look `host` up again before its next use, because none of its addresses was reached."""
        with self._lock:
            name = self._names.get(host)
            if name is not None and name.lookup is None:
                name.found_at = min(name.found_at, self._clock() - self._config.fresh_s)

    def _kept(self, name: _Name, now: float) -> Found:
        """Return the last good answer while it may be used."""
        most = self._config.gone_s if name.error is not None and _is_gone(name.error) else self._config.kept_s
        return name.found if name.found and now - name.found_at < most else ()

    def _name(self, host: str) -> _Name:
        name = self._names.get(host)
        if name is None:
            if len(self._names) >= self._config.names_max:
                self._forget()
            name = self._names[host] = _Name()
        self._names.move_to_end(host)
        return name

    def _forget(self) -> None:
        for host, name in self._names.items():
            if name.lookup is None:
                del self._names[host]
                return
        raise OSError(f"{len(self._names)} names are being looked up already; retry, or raise names.names_max")

    def _begin(self, host: str, name: _Name, now: float) -> "Future[Found]":
        lookup = name.lookup = Future[Found]()
        lookup.set_running_or_notify_cancel()  # so that the cancellation of a caller does not end it for the others
        name.asked_at = now
        proven = bool(name.found) and name.error is None
        (self._proven if proven else self._unproven).append(host)
        self._start()
        return lookup

    def _start(self) -> None:
        """Start a thread if a name waits and a place is free."""
        if (self._proven and self._threads < self._config.lookups_max) or self._may_start_unproven():
            self._threads += 1
            try:
                threading.Thread(target=self._run, name="ringway lookup", daemon=True).start()
            except RuntimeError as error:  # the limit of the process or the machine
                self._threads -= 1
                self._give_up(OSError(f"no thread can be started for lookups ({error})"))

    def _may_start_unproven(self) -> bool:
        most = self._config.lookups_max
        return bool(self._unproven) and self._threads < most and self._threads_unproven < most // 2

    def _give_up(self, error: OSError) -> None:
        if self._threads:
            return  # a running thread will look the names up
        for host in (*self._proven, *self._unproven):
            self._settle(host, error)
        self._proven.clear()
        self._unproven.clear()

    def _next(self) -> tuple[str, bool] | None:
        """Return the next name to look up, and if it counts as unproven; None if there is none."""
        if self._proven:
            return self._proven.popleft(), False
        if self._unproven and self._threads_unproven < self._config.lookups_max // 2:
            self._threads_unproven += 1
            return self._unproven.popleft(), True
        return None

    def _run(self) -> None:
        """Look names up until no name waits; the body of a thread."""
        while True:
            with self._lock:
                taken = self._next()
                if taken is None:
                    self._threads -= 1
                    return
            host, unproven = taken
            try:
                result: Found | OSError = self._lookup(host) or socket.gaierror(socket.EAI_NONAME, "No address")
            except OSError as error:
                result = error
            except Exception as error:  # a fault in one lookup must not end the thread
                result = OSError(f"{type(error).__name__}: {error}")
            with self._lock:
                self._threads_unproven -= unproven
                self._settle(host, result)

    def _settle(self, host: str, result: Found | OSError) -> None:
        name = self._names[host]
        lookup, name.lookup = name.lookup, None
        assert lookup is not None
        now = self._clock()
        if isinstance(result, OSError):
            name.error, name.failed_at = _named(host, result), now
            lookup.set_exception(name.error)
        else:
            name.found, name.found_at, name.error = result, now, None
            lookup.set_result(result)


async def _answer(lookup: "Future[Found]") -> Found:
    """Wait for a lookup, which goes on for the other callers when this caller is cancelled."""
    try:
        return await asyncio.wrap_future(lookup)
    except OSError as error:
        raise _again(error) from None


def _is_gone(error: OSError) -> bool:
    """Return True if the name servers know no such name; False if they could not be asked."""
    return isinstance(error, socket.gaierror) and error.errno in (socket.EAI_NONAME, socket.EAI_NODATA)


def _named(host: str, error: OSError) -> OSError:
    text = f"the name {host!r} cannot be looked up: {error.strerror or error}"
    return socket.gaierror(error.errno, text) if isinstance(error, socket.gaierror) else OSError(text)


def _again(error: OSError) -> OSError:
    """Return a copy of `error` for each caller: the traceback of a shared error would grow with each raise."""
    return type(error)(*error.args)

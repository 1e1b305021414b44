"""Hook: one backend that is asked over HTTP, with bounds on the number of requests and on their time.

    a turn is free            the request is sent; its answer must come in `timeout_s`
    no turn is free           the command waits, for `timeout_s` at most; beyond `queue_max` it is refused at once
    the breaker is open       it is refused at once, also those that wait
    the client goes meanwhile no request is sent for it

Whatever fails, `HookFailed` says so, and no other hook is touched. Only a hook that does not answer, or that says
itself that it cannot (429, 502, 503, 504), opens the breaker: an error 500 or a strange answer may be caused by the
request of one client, which must not have others refused.
"""

import asyncio
from collections.abc import Callable, Mapping

from ringway.core.breaker import Breaker, BreakerState
from ringway.errors import ProtocolError, RingwayError
from ringway.hooks.config import read_static_headers, read_tls
from ringway.hooks.options import HookOptions
from ringway.hooks.stats import HookOutcome, HookStats
from ringway.logger import get_logger
from ringway.net.http_get import HttpAnswer, HttpAnswerError, why_unanswered
from ringway.net.http_pool import HttpPool
from ringway.protocol.address import shown
from ringway.protocol.hook import EVENT_HEADER, HookAnswer, HookEvent, Result

_BUSY = frozenset({429, 502, 503, 504})
"""Statuses of a server, or of a proxy in front of it, that cannot answer now."""

_log = get_logger()


class HookFailed(RingwayError):
    """A hook gave no usable answer; `outcome` is the reason. The text is for the log, never for the client."""

    def __init__(self, outcome: HookOutcome, why: str) -> None:
        self.outcome = outcome
        super().__init__(why)


class Hook:
    """The hook `name`. Its owner closes it. `clock` is monotonic. Raise `ConfigError` if a file cannot be used."""

    def __init__(self, name: str, options: HookOptions, clock: Callable[[], float]) -> None:
        self.name = name
        self.options = options
        self.stats = HookStats()
        self._clock = clock
        self._breaker = Breaker(options.breaker_failures, options.breaker_open_s)
        self._turns = asyncio.Semaphore(options.concurrency_max)
        self._waiting = 0
        self._told = ""
        self._static = (
            ("Content-Type", "application/json"),
            ("User-Agent", "ringway"),
            *read_static_headers(name, options),
        )
        self._pool = HttpPool(
            options.url,
            read_tls(name, options),
            idle_max=options.concurrency_max if options.keep_alive_s else 0,
            idle_s=options.keep_alive_s,
            bytes_max=options.answer_bytes_max,
        )

    @property
    def waiting(self) -> int:
        """The number of commands that wait for their turn."""
        return self._waiting

    @property
    def is_open(self) -> bool:
        """True if the breaker is open, or tries whether it may close."""
        return self._breaker.state is not BreakerState.CLOSED

    @property
    def problem(self) -> str:
        """What is wrong with the hook; '' if its last request was answered."""
        if not self._told:
            return ""
        return f"the hook {self.name}{' is open' if self.is_open else ''}: {self._told}"

    def close(self) -> None:
        """Close its connections. Requests under way end with their commands."""
        self._pool.close()

    async def send_request(
        self,
        event: HookEvent[Result],
        body: bytes,
        headers: Mapping[str, str],
        is_wanted: Callable[[], bool],
    ) -> HookAnswer[Result]:
        """Send a request, and return the answer. `headers` are the client's, names in lower case.

        Raise `HookFailed` if there is none. No request is sent if `is_wanted` is False by then.
        """
        try:
            answer = await self._send_in_turn(event, body, headers, is_wanted)
        except HookFailed as error:
            self.stats.requests[event.name, error.outcome] += 1
            if error.outcome.is_failure:
                self._report(str(error))
            raise
        outcome = HookOutcome.OK
        if answer.disconnect is not None:
            outcome = HookOutcome.DISCONNECT
        elif answer.error is not None:
            outcome = HookOutcome.ERROR
        self.stats.requests[event.name, outcome] += 1
        if self._told:
            _log.info("a hook answers again", hook=self.name)
            self._told = ""
        return answer

    async def _send_in_turn(
        self, event: HookEvent[Result], body: bytes, headers: Mapping[str, str], is_wanted: Callable[[], bool]
    ) -> HookAnswer[Result]:
        self._check_breaker()
        if self._turns.locked():
            await self._wait_for_turn()
        else:
            await self._turns.acquire()  # at once
        try:
            if not is_wanted():
                raise HookFailed(HookOutcome.GONE, "the client has gone")
            answer = await self._send(event, body, self._headers(event.name, headers))
        finally:
            self._turns.release()
        if answer.status != 200:
            raise HookFailed(HookOutcome.STATUS, f"it answered with the status {answer.status}")
        try:
            return event.read_answer(answer.body)
        except ProtocolError as error:
            raise HookFailed(HookOutcome.UNREADABLE, str(error)) from None

    def _headers(self, event: str, clients: Mapping[str, str]) -> tuple[tuple[str, str], ...]:
        passed = ((name, clients[name]) for name in self.options.headers if name in clients)
        return ((EVENT_HEADER, event), *self._static, *passed)

    def _check_breaker(self) -> None:
        if self._breaker.refuses(self._clock()):
            raise HookFailed(HookOutcome.OPEN, self._told or "the breaker is open")

    async def _wait_for_turn(self) -> None:
        options = self.options
        if self._waiting >= options.queue_max:
            raise HookFailed(HookOutcome.FULL, f"{options.queue_max} commands wait already (queue_max)")
        self._waiting += 1
        try:
            async with asyncio.timeout(options.timeout_s):
                await self._turns.acquire()
        except TimeoutError:
            raise HookFailed(
                HookOutcome.LATE, f"{options.concurrency_max} requests were under way for {options.timeout_s:g} s"
            ) from None
        finally:
            self._waiting -= 1

    async def _send(self, event: HookEvent[Result], body: bytes, headers: tuple[tuple[str, str], ...]) -> HttpAnswer:
        """Send one request; the breaker learns how it ended."""
        begun = self._clock()
        phase = self._breaker.admit(begun)
        if not phase:
            raise HookFailed(HookOutcome.OPEN, self._told or "the breaker is open")
        timeout_s = self.options.timeout_s
        failed: bool | None = None
        try:
            async with asyncio.timeout(timeout_s):
                answer = await self._pool.post(body, headers, may_repeat=event.may_repeat)
        except TimeoutError as error:
            failed = True
            raise HookFailed(HookOutcome.TIMEOUT, why_unanswered(error, timeout_s)) from None
        except (OSError, HttpAnswerError) as error:
            failed = True
            raise HookFailed(HookOutcome.UNREACHABLE, why_unanswered(error, timeout_s)) from None
        else:
            failed = answer.status in _BUSY
            return answer
        finally:
            self.stats.seconds[event.name] += self._clock() - begun
            self._conclude(phase, failed)

    def _conclude(self, phase: int, failed: bool | None) -> None:
        was_open = self.is_open
        if failed is None:
            self._breaker.on_given_up(phase)
        else:
            self._breaker.on_result(phase, self._clock(), failed=failed)
        if self.is_open and not was_open:
            self.stats.opened += 1

    def _report(self, why: str) -> None:
        """Log the first failure in a row, and each with a new reason."""
        if self.is_open and self._told:
            return  # the reason why it opened stays
        if why != self._told:
            _log.warning("a hook failed", hook=self.name, endpoint=shown(self.options.endpoint), why=why)
        self._told = why

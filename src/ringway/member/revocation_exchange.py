"""Exchange of revocations between the members that check tokens (PROTOCOL.md P-9.14).

A revocation is told to all members at once. For those that were not there, or could not be reached, members compare
their digests: at the start, when the engine is up again, and every few seconds. Whoever finds a difference asks one
member of each other digest for what it does not know. Nothing is stored in the engine: what one living member knows,
all learn.
"""

import asyncio
from collections.abc import Callable
from random import Random

from ringway.core.revocations import Revocations
from ringway.errors import EngineError, ProtocolError
from ringway.logger import get_logger
from ringway.ports import Engine, Serving
from ringway.protocol.revocation import (
    PAGE_MAX,
    REVOCATIONS,
    AskDigest,
    AskRevocations,
    Digest,
    Revocation,
    RevocationPage,
    Revoke,
    Revoked,
    address_of,
    decode_answer,
    decode_request,
    encode,
)
from ringway.tasks import Tasks
from ringway.types import Incarnation

COMPARE_S = 10.0
"""The pause between two comparisons, 20 % jittered."""

ANSWER_S = 1.0
"""The deadline of an answer, and the wait for members that differ."""

OnLearned = Callable[[list[Revocation]], None]
"""Receives the revocations that are new to this member, in the event loop; must not block."""

_log = get_logger()


class RevocationExchange:
    """The exchange of one member. `answers_all`: it is a node, which confirms each revocation. `wall` is Unix time."""

    def __init__(
        self,
        revocations: Revocations,
        engine: Engine,
        incarnation: Incarnation,
        rng: Random,
        wall: Callable[[], float],
        on_learned: OnLearned,
        *,
        answers_all: bool,
    ) -> None:
        self.revocations = revocations
        self._engine = engine
        self._incarnation = incarnation
        self._rng = rng
        self._wall = wall
        self._on_learned = on_learned
        self._answers_all = answers_all
        self._heard_to: dict[Incarnation, int] = {}  # by member, the number up to which it is known here
        self._servings: list[Serving] = []
        self._soon = asyncio.Event()
        self._tasks = Tasks()
        self._is_full = False

    async def start(self) -> None:
        """Learn what another member knows, if there is one, and share from then on."""
        bus = self._engine.bus
        self._servings = [await bus.serve(address_of(self._incarnation), self.handle)]
        try:
            request = encode(AskDigest(digest=self.revocations.digest, all_answer=True))
            answer = decode_answer(await bus.call(REVOCATIONS, request, timeout_s=ANSWER_S))
            if isinstance(answer, Digest):
                await self._hear(answer)
        except (EngineError, ProtocolError):
            pass  # it is the first, or what it does not know now it learns by the first comparison
        self._servings.append(await bus.serve(REVOCATIONS, self.handle))
        self._engine.on_return.append(self._soon.set)
        self._soon.set()
        self._tasks.spawn(self._run(), name="exchange of revocations")

    async def stop(self) -> None:
        """Share no more."""
        if self._soon.set in self._engine.on_return:
            self._engine.on_return.remove(self._soon.set)
        await self._tasks.aclose()
        for serving in self._servings:
            await serving.close()

    async def handle(self, raw: bytes) -> bytes | None:
        """Answer one request (`ports.Handler`). Raise `ProtocolError` if it cannot be read."""
        request = decode_request(raw)
        if isinstance(request, Revoke):
            left_out = self._learn(request.revocations)
            if not (self._answers_all or request.all_answer):
                return None
            return encode(Revoked(incarnation=self._incarnation, left_out=left_out))
        known = self.revocations
        if isinstance(request, AskDigest):
            if request.digest == known.digest and not request.all_answer:
                return None
            return encode(Digest(incarnation=self._incarnation, digest=known.digest, number=known.number))
        found, number, is_last = known.page(request.after, PAGE_MAX)
        return encode(RevocationPage(revocations=tuple(found), number=number, is_last=is_last))

    async def compare(self) -> None:
        """Learn what the members know that differ from this one. Raise `EngineError`, or `ProtocolError`."""
        self.revocations.tick(self._wall())
        request = encode(AskDigest(digest=self.revocations.digest))
        answers = await self._engine.bus.gather(REVOCATIONS, request, timeout_s=ANSWER_S)
        differing = [answer for each in answers if isinstance(answer := decode_answer(each), Digest)]
        for answer in differing:
            if answer.digest != self.revocations.digest:
                await self._hear(answer)
        living = {answer.incarnation for answer in differing}
        if len(self._heard_to) > 2 * len(living) + PAGE_MAX:
            self._heard_to = {member: number for member, number in self._heard_to.items() if member in living}

    async def _hear(self, answer: Digest) -> None:
        """Learn what the member of `answer` has learned since it was asked last."""
        member = answer.incarnation
        is_last = False
        while not is_last:
            request = encode(AskRevocations(after=self._heard_to.get(member, 0)))
            page = decode_answer(await self._engine.bus.call(address_of(member), request, timeout_s=ANSWER_S))
            if not isinstance(page, RevocationPage):
                return
            self._learn(page.revocations)
            self._heard_to[member] = page.number
            is_last = page.is_last or not page.revocations

    def _learn(self, revocations: tuple[Revocation, ...]) -> int:
        """Add `revocations`; return the number of those for which there is no room."""
        learned = self.revocations.learn(revocations, self._wall())
        if learned.left_out and not self._is_full:
            _log.error(
                "there is no room for more revoked tokens: they are still accepted here; raise token.revocations_max "
                "on all members, or revoke by user",
                revocations_max=self.revocations.size_max,
            )
        self._is_full = learned.left_out > 0
        if learned.fresh:
            self._on_learned(learned.fresh)
        return learned.left_out

    async def _run(self) -> None:
        while True:
            pause_s = COMPARE_S * self._rng.uniform(0.8, 1.2)
            try:
                async with asyncio.timeout(pause_s):
                    await self._soon.wait()
            except TimeoutError:
                pass
            self._soon.clear()
            try:
                await self.compare()
            except (EngineError, ProtocolError) as error:
                _log.info("revoked tokens were not compared with other members", why=str(error))

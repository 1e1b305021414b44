"""Knocker: makes one knock at a node's URL, and judges the answer (PROTOCOL.md P-8.11)."""

import asyncio
import base64
import os
from urllib.parse import urlsplit

from ringway.core.knock import Knock
from ringway.core.knock_judgement import KnockVerdict, judge_answer, judge_nonsense, judge_refusal, judge_silence
from ringway.errors import ConfigError, UpgradeError
from ringway.gateway.proxy.addresses import NodeAddresses
from ringway.gateway.proxy.upstream import Answer, Unreachable
from ringway.net.lingering_close import LingeringCloses
from ringway.protocol.knock import KNOCK, NONCE_BYTES, KnockProver, knock_goodbye, knock_request
from ringway.protocol.upgrade import Upgrade, check_response, value_of

LINGER_S = 1.0
"""The deadline for the other end to close the WebSocket that was opened to knock."""

LINGERING_MAX = 64
"""The maximum of WebSockets that are closing; beyond, the oldest is cut."""


class Knocker:
    """Knocks by the connections of `addresses`: over TLS and with the deadlines of clients' WebSockets."""

    def __init__(self, addresses: NodeAddresses, prover: KnockProver) -> None:
        self._addresses = addresses
        self._prover = prover
        self._lingering = LingeringCloses(LINGER_S)

    async def knock(self, knock: Knock, within_s: float) -> KnockVerdict:
        """Knock once; the answer must come in `within_s`."""
        try:
            address = self._addresses.read_url(knock.url)
        except ConfigError as error:
            return judge_nonsense(str(error))
        nonce, key = os.urandom(NONCE_BYTES), base64.b64encode(os.urandom(16)).decode()
        request = knock_request(urlsplit(knock.url).path or "/", address.authority, key, self._prover.ask(nonce))
        try:
            async with asyncio.timeout(within_s):
                answer = await self._addresses.send_request(address, request)
        except TimeoutError:
            return judge_silence(f"no answer within {within_s:g} s")
        except Unreachable as error:
            return judge_silence(str(error))
        except UpgradeError as error:
            return judge_nonsense(str(error))
        return self._judge(knock, nonce, key, answer)

    def abort(self) -> None:
        """Cut the WebSockets that are not closed yet."""
        self._lingering.abort()

    def _judge(self, knock: Knock, nonce: bytes, key: str, answer: Answer) -> KnockVerdict:
        if answer.status != 101:
            answer.transport.abort()
            return judge_refusal(answer.status, answer.body)
        try:
            check_response(Upgrade(key, (), ()), answer.status, answer.version, answer.headers)
        except UpgradeError as error:
            answer.transport.abort()
            return judge_nonsense(str(error))
        if len(self._lingering) >= LINGERING_MAX:
            self._lingering.cut_oldest()
        self._lingering.close_after(answer.transport, knock_goodbye())
        value = value_of(answer.headers, KNOCK)
        return judge_answer(knock, self._prover.read_answer(value, nonce) if value is not None else None)

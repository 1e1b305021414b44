"""Runs the vectors against `ringway.connect`: its network and its time are in the hands of the test.

A question to a gateway and a handshake with a node are futures that the case answers; the event loop's clock moves only
when the case lets time pass. Nothing waits for anything real.
"""

import asyncio
import contextlib
import json
from collections import deque
from collections.abc import Callable, Coroutine
from random import Random
from typing import Any

import picows
import pytest

import ringway
from ringway.client import discovery, handshake, opener
from ringway.net.http_get import HttpAnswer
from ringway.protocol.frame import CLOSE, TEXT, close_payload, read_close
from ringway.protocol.move import Move
from ringway.types import NodeName

TURNS = 60
"""More turns of the loop than anything here takes without time passing."""

Case = dict[str, Any]


class Loop(asyncio.SelectorEventLoop):
    """An event loop whose time stands still."""

    now = 1000.0

    def time(self) -> float:
        return self.now

    def settle(self) -> None:
        """Run until nothing happens any more."""
        for _ in range(TURNS):
            self.call_soon(self.stop)
            self.run_forever()

    def let_pass(self, seconds: float) -> None:
        """Let time pass, timer by timer."""
        end = self.now + seconds
        self.settle()
        while due := [timer.when() for timer in self._scheduled if not timer.cancelled() and timer.when() <= end]:  # type: ignore[attr-defined]
            self.now = max(self.now, min(due))
            self.settle()
        self.now = end
        self.settle()


class Drawn(Random):
    """Draws the numbers of the case, and no more."""

    def __init__(self, numbers: list[float]) -> None:
        super().__init__()
        self._numbers = deque(numbers)

    def random(self) -> float:
        return self._numbers.popleft()

    def uniform(self, a: float, b: float) -> float:
        return a + (b - a) * self.random()


class Frame:
    """A frame as picows hands it over."""

    rsv1 = rsv2 = rsv3 = False
    fin = True

    def __init__(self, opcode: int, payload: bytes) -> None:
        self.msg_type = opcode
        self._payload = payload

    def get_payload_as_bytes(self) -> bytes:
        return self._payload


class Transport:
    """A connection of picows' that writes down what is sent. `told` is what a close frame would answer, if anything."""

    is_close_frame_sent = False

    def __init__(self, note: Callable[..., None], gone: Callable[["Transport"], None]) -> None:
        self._note = note
        self._gone = gone
        self.told = ""
        self.is_disconnected = False
        self.underlying_transport = self

    def send(self, opcode: picows.WSMsgType, payload: bytes) -> None:
        assert not self.is_disconnected
        if opcode == TEXT:
            self._note("transmit", payload.decode())
        elif opcode == CLOSE and self.told == "signal":
            self._note("answer", True)
        elif opcode == CLOSE and not self.told:
            self._note("close", list(read_close(payload)))

    def disconnect(self, graceful: bool = True) -> None:
        if not self.is_disconnected:
            self.is_disconnected = True
            asyncio.get_running_loop().call_soon(self._gone, self)

    def pause_reading(self) -> None:
        """Nothing is read that the case does not say."""

    resume_reading = pause_reading

    def can_write_eof(self) -> bool:
        return False

    async def wait_disconnected(self) -> None:
        return


class Timeline:
    """One case. `seen` is what was done since the last step."""

    def __init__(self, case: Case, monkeypatch: pytest.MonkeyPatch) -> None:
        self.case = case
        self.seen: list[dict[str, Any]] = []
        self.loop = Loop()
        self.socket: ringway.Socket | None = None
        self._questions: deque[asyncio.Future[Any]] = deque()
        self._handshakes: deque[asyncio.Future[Any]] = deque()
        self._listener: Any = None
        self._transport: Any = None
        self._behind: Move | None = None  # what comes right behind the answer to a handshake
        self._tasks: list[asyncio.Task[Any]] = []
        monkeypatch.setattr(discovery, "request_answer", self._get)
        monkeypatch.setattr(opener, "_upgrade", self._upgrade)
        monkeypatch.setattr(opener, "check_answer", lambda key, offered, headers: dict(headers).get("protocol") or None)
        monkeypatch.setattr(handshake, "check_answer", None)

    def run(self) -> None:
        """Carry the steps out; after each exactly what it says must have been done."""
        try:
            for step in self.case["steps"]:
                step = dict(step)
                then = step.pop("then")
                ((event, value),) = step.items()
                self.seen = []
                getattr(self, event)(value)
                self.loop.settle()
                assert self.seen == then, f"after {event} {value}"
        finally:
            for task in self._tasks:
                task.cancel()
            self.loop.settle()
            self.loop.create_task(self.loop.shutdown_asyncgens())
            self.loop.let_pass(60.0)  # sockets that are left close, which nobody answers
            self.loop.close()

    def note(self, action: str, value: Any) -> None:
        self.seen.append({action: value})

    # what happens outside

    async def _get(self, url: str, timeout_s: float, ssl: Any) -> Any:
        self.note("ask", url)
        question = self.loop.create_future()
        self._questions.append(question)
        return await question

    async def _upgrade(self, url: str, accept: Callable[..., Any], *_: Any) -> Any:
        self.note("connect", url.replace("moves=1", "moves=*"))
        handshake = self.loop.create_future()
        self._handshakes.append(handshake)
        protocol = await handshake
        self._listener = accept(_Request(), _Response({"protocol": protocol}))
        self._transport = Transport(self.note, self._listener.on_ws_disconnected)
        self._listener.on_ws_connected(self._transport)
        if self._behind is not None:
            move, self._behind = self._behind, None
            self._transport.told = "signal"
            self.loop.call_soon(self._listener.on_ws_close, close_payload(1012, move.reason()))
        return self._listener

    # events

    def open(self, _: bool) -> None:
        self._begin(self._open())

    async def _open(self) -> None:
        connecting = ringway.connect(
            self.case["gateways"],
            key=self.case.get("key"),
            subprotocols=self.case.get("protocols"),
            rng=Drawn(self.case.get("random", [])),
            open_timeout=None if self.case.get("again") else 10,
            ping_interval=None,
        )
        try:
            if self.case.get("again"):
                async for socket in connecting:
                    await self._listen(socket)
            else:
                await self._listen(await connecting)
        except (OSError, ringway.RingwayError):
            self.note("failed", True)

    async def _listen(self, socket: ringway.Socket) -> None:
        self.socket = socket
        moved = socket.moved

        def tell(node: NodeName) -> None:
            moved(node)
            self.note("moved", node)

        socket.moved = tell  # type: ignore[method-assign]
        self.note("opened", socket.subprotocol or "")
        try:
            while True:
                self.note("message", await socket.recv())
        except ringway.ConnectionClosed as end:
            self.note("closed", [end.code, end.reason])

    def respond(self, answer: dict[str, Any] | None) -> None:
        question = self._questions.popleft()
        if answer is None:
            question.set_exception(ConnectionRefusedError())
            return
        headers = tuple((name.lower(), value) for name, value in answer.get("headers", {}).items())
        body = answer["text"].encode() if "text" in answer else json.dumps(answer["body"]).encode()
        question.set_result(HttpAnswer(answer["status"], headers, body))

    def accept(self, protocol: str) -> None:
        self._handshakes.popleft().set_result(protocol)

    def accept_moving(self, told: dict[str, str]) -> None:
        self._behind = Move(NodeName(told["node"]), told["ticket"])
        self.accept(told["protocol"])

    def refuse(self, status: int | None) -> None:
        error = ConnectionRefusedError() if status is None else ringway.UpgradeError(status, "refused")
        self._handshakes.popleft().set_exception(error)

    def arrive(self, text: str) -> None:
        self._frame(TEXT, text.encode())

    def signal(self, move: dict[str, str]) -> None:
        self._transport.told = "signal"
        self._close(1012, Move(NodeName(move["node"]), move["ticket"]).reason())

    def hang_up(self, end: list[Any]) -> None:
        self._transport.told = "close"
        self._close(*end)

    def lose(self, _: bool) -> None:
        self.loop.call_soon(self._transport.disconnect)

    def send(self, text: str) -> None:
        assert self.socket is not None
        self._begin(self.socket.send(text))

    def send_bytes(self, count: int) -> None:
        self.send("x" * count)

    def shut(self, end: list[Any]) -> None:
        assert self.socket is not None
        self._begin(self.socket.close(*end))

    def pass_ms(self, ms: float) -> None:
        self.loop.let_pass(ms / 1000)

    def _close(self, code: int, reason: str = "") -> None:
        listener = self._listener
        self.loop.call_soon(lambda: listener.on_ws_close(close_payload(code, reason)))

    def _frame(self, opcode: int, payload: bytes) -> None:
        self.loop.call_soon(self._listener.on_ws_frame, self._transport, Frame(opcode, payload))

    def _begin(self, work: Coroutine[Any, Any, None]) -> None:
        async def run() -> None:
            with contextlib.suppress(ringway.ConnectionClosed):  # too late to send
                await work

        self._tasks.append(self.loop.create_task(run()))


class _Request:
    headers = {"Sec-WebSocket-Key": ""}  # noqa: RUF012


class _Response:
    def __init__(self, headers: dict[str, str]) -> None:
        self.headers = headers

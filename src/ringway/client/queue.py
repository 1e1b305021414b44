"""Queue of the subscribes and unsubscribes of a client: sent at the pace of the server's answers.

A client of thousands of channels would otherwise spend its rate in one moment, be refused, ask again at once, and be
disconnected. So at most a window of commands is unanswered, as with TCP's segments (RFC 5681): `subscribes_max` at
first. If the server refuses a command because there were too many (error 111), the window is halved, and the whole
queue rests for a pause with full jitter, which doubles until a command is accepted. From then on the window grows by
one for each whole window that is answered. It outlives the connection. If commands are unanswered when a connection
ends, the window is halved too, since a server ends connections with too many commands (close 3013).

The queue is as long as the client has channels. Commands about one channel keep their order: a command that is behind a
refused one is repeated behind it. A command that is not answered in time ends the connection.
"""

import asyncio
from collections import deque
from collections.abc import Callable
from functools import partial
from typing import TYPE_CHECKING, Any, NamedTuple

from ringway.core.backoff import next_delay_s
from ringway.protocol.errorcode import TOO_MANY_REQUESTS
from ringway.types import Channel

if TYPE_CHECKING:
    from random import Random

    from ringway.client.channel_entry import ChannelEntry
    from ringway.client.config import ClientConfig
    from ringway.client.link import ChannelLink
    from ringway.protocol.command import Reply

    Answer = asyncio.Future[Reply]


class ChannelCommand(NamedTuple):
    """A command about a channel: a subscribe of `entry`, or an unsubscribe if that is None."""

    channel: Channel
    entry: "ChannelEntry | None"


class ChannelCommandQueue:
    """The queue of one client.

    `request` makes the command when it is sent, or None if it is not wanted any more; `sent` and `answered` are called
    with each command, the link that it went over, and the future of its answer.
    """

    def __init__(
        self,
        config: "ClientConfig",
        rng: "Random",
        request: Callable[[ChannelCommand], dict[str, Any] | None],
        sent: "Callable[[ChannelCommand, ChannelLink, Answer], None]",
        answered: "Callable[[ChannelCommand, ChannelLink, Answer], None]",
    ) -> None:
        self._config = config
        self._rng = rng
        self._request = request
        self._sent = sent
        self._told = answered
        self._link: ChannelLink | None = None
        self._orders: deque[ChannelCommand] = deque()
        self._refused: list[ChannelCommand] = []  # these commands come first after the pause
        self._in_flight: dict[Answer, asyncio.TimerHandle] = {}  # each with its deadline
        self._window = float(config.subscribes_max)
        self._rests = 0  # in a row
        self._rest: asyncio.TimerHandle | None = None

    def reset(self, link: "ChannelLink | None") -> None:
        """Forget all commands, and send over `link` from now on."""
        self._link = link
        if self._in_flight:
            self._window = max(1.0, self._window / 2)
        self._orders.clear()
        self._refused.clear()
        for timer in self._in_flight.values():
            timer.cancel()
        self._in_flight.clear()
        self._rests = 0
        if self._rest is not None:
            self._rest.cancel()
            self._rest = None

    def put(self, *orders: ChannelCommand) -> None:
        """Send `orders` in this order, behind those that wait; do nothing if there is no connection."""
        if self._link is not None:
            self._orders.extend(orders)
            self._pump()

    def _pump(self) -> None:
        link, room = self._link, int(self._window) - len(self._in_flight)
        if link is None or not link.is_open or self._rest is not None:
            return
        orders: list[ChannelCommand] = []
        requests: list[dict[str, Any]] = []
        while self._orders and len(orders) < room:
            order = self._orders.popleft()
            request = self._request(order)
            if request is not None:
                orders.append(order)
                requests.append(request)
        loop = asyncio.get_running_loop()
        for order, answer in zip(orders, link.call_all(requests), strict=True):
            self._in_flight[answer] = loop.call_later(self._config.command_timeout_s, link.cut)
            self._sent(order, link, answer)
            answer.add_done_callback(partial(self._answered, order, link))

    def _answered(self, order: ChannelCommand, link: "ChannelLink", answer: "Answer") -> None:
        deadline = self._in_flight.pop(answer, None)
        if deadline is None or answer.exception() is not None:
            return  # of a connection before this, or of one that has ended
        deadline.cancel()
        error = answer.result().error
        if error is not None and error.code == TOO_MANY_REQUESTS:
            self._refused.append(order)
            self._take_rest()
        elif any(refused.channel == order.channel for refused in self._refused):
            self._refused.append(order)
        else:
            self._rests = 0
            self._window = min(self._config.subscribes_max, self._window + 1 / self._window)
            self._told(order, link, answer)
        if 2 * len(self._in_flight) <= self._window:
            self._pump()  # not for each answer: frames are to carry many commands

    def _take_rest(self) -> None:
        if self._rest is None:
            config = self._config
            pause_s = next_delay_s(self._rests, self._rng, base_s=config.backoff_base_s, cap_s=config.backoff_cap_s)
            self._rests += 1
            self._window = max(1.0, self._window / 2)
            self._rest = asyncio.get_running_loop().call_later(pause_s, self._go_on)

    def _go_on(self) -> None:
        self._rest = None
        self._orders.extendleft(reversed(self._refused))
        self._refused.clear()
        self._pump()

"""Backends from the Kubernetes API, served on loopback: each test plays answers, and reads what the sink is told."""

import asyncio
import random
import ssl
import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from ringway.errors import ConfigError
from ringway.sources.kubernetes.config import KubernetesConfig
from ringway.sources.kubernetes.source import KubernetesSource
from ringway.tasks import Tasks
from support.api_player import PATIENCE_S, ApiPlayer, PlayedRequest, play_api
from support.kubernetes_traffic import (
    EXPIRED,
    FORBIDDEN,
    UNAUTHORIZED,
    bookmark,
    endpoint,
    event,
    listed,
    part,
    status,
    stopping,
)
from support.recording_sink import RecordingSink

PEM = Path(__file__).parent.parent / "client" / "localhost.pem"
SPEC = "kubernetes+ws://chat.default:ws"
PATH = "/apis/discovery.k8s.io/v1/namespaces/default/endpointslices"

ONE = part("chat-1", 40, endpoint("a", "10.1.0.4"))
TWO = part("chat-1", 43, endpoint("a", "10.1.0.4"), endpoint("b", "10.1.0.5"))


async def eventually(condition: Callable[[], object]) -> None:
    deadline = time.monotonic() + PATIENCE_S
    while not condition():
        assert time.monotonic() < deadline, "the condition did not come true"
        await asyncio.sleep(0.005)


class Following:
    """A source that follows a played API, and its sink."""

    def __init__(self, player: ApiPlayer, sink: RecordingSink, source: KubernetesSource) -> None:
        self.player = player
        self.sink = sink
        self.source = source

    async def becomes(self, **states: str) -> None:
        await eventually(lambda: self.sink.states == states)

    async def tells(self, words: str) -> None:
        await eventually(lambda: words in self.sink.problems.get(SPEC, ""))

    async def recovers(self) -> None:
        await eventually(lambda: self.sink.problems.get(SPEC, "") == "")

    async def list_request(self) -> PlayedRequest:
        request = await self.player.next_request()
        assert "watch" not in request.query
        return request

    async def watch_request(self, version: str) -> PlayedRequest:
        request = await self.player.next_request()
        assert request.query.get("watch") == "1"
        assert request.query["resourceVersion"] == version
        return request

    async def begin(self) -> PlayedRequest:
        """Answer the list with one pod at version 42, and begin the watch."""
        (await self.list_request()).answer(listed(42, ONE))
        watch = (await self.watch_request("42")).begin()
        await self.becomes(a="up")
        return watch


@asynccontextmanager
async def follow(
    tls: ssl.SSLContext | None = None, settle_s: float = 0.0, **settings: object
) -> AsyncIterator[Following]:
    async with play_api(tls) as player:
        sink = RecordingSink()
        config = KubernetesConfig(api_url=player.url, settle_s=settle_s, **settings)  # type: ignore[arg-type]
        source = KubernetesSource(SPEC, config, sink, random.Random(1), {})
        tasks = Tasks()
        tasks.spawn(source.run(), name=source.name)
        try:
            yield Following(player, sink, source)
            assert len(tasks) == 1
        finally:
            await tasks.aclose()


async def test_pods_come_change_and_go_by_one_list_and_one_watch() -> None:
    async with follow() as following:
        request = await following.list_request()
        assert request.path == PATH
        assert request.query == {"labelSelector": "kubernetes.io/service-name=chat", "limit": "200"}
        request.answer(listed(42, ONE))
        await following.becomes(a="up")
        watch = await following.watch_request("42")
        assert watch.query["allowWatchBookmarks"] == "true"
        assert watch.query["timeoutSeconds"] == "60"
        watch.begin().send(event("ADDED", part("chat-2", 43, endpoint("b", "10.1.0.5"))))
        await following.becomes(a="up", b="up")
        watch.send(event("MODIFIED", part("chat-1", 44, stopping("a", "10.1.0.4"))))
        await following.becomes(a="draining", b="up")
        watch.send(event("MODIFIED", part("chat-1", 45)))
        await following.becomes(b="up")
        assert following.sink.lost == ["a"]
        watch.send(event("MODIFIED", part("chat-1", 46, endpoint("c", "10.1.0.6"))))
        await following.becomes(b="up", c="up")
        watch.send(event("DELETED", part("chat-2", 47, endpoint("b", "10.1.0.5"))))
        await following.becomes(c="up")
        assert following.sink.lost == ["a"]
        assert following.sink.told == []


async def test_changes_within_the_settling_time_are_one() -> None:
    async with follow(settle_s=0.3) as following:
        watch = await following.begin()
        before = following.sink.updates
        watch.send(event("MODIFIED", part("chat-1", 43)))
        watch.send(event("ADDED", part("chat-2", 44, endpoint("a", "10.1.0.4"), endpoint("b", "10.1.0.5"))))
        await following.becomes(a="up", b="up")
        assert following.sink.updates == before + 1


async def test_a_long_list_is_read_page_by_page() -> None:
    async with follow() as following:
        (await following.list_request()).answer(listed(42, ONE, go_on="next one"))
        request = await following.list_request()
        assert request.query["continue"] == "next one"
        request.answer(listed(42, part("chat-2", 41, endpoint("b", "10.1.0.5"))))
        await following.becomes(a="up", b="up")


async def test_a_watch_goes_on_from_the_last_bookmark() -> None:
    async with follow() as following:
        watch = await following.begin()
        watch.send(bookmark(99))
        watch.finish()
        (await following.watch_request("99")).begin().send(event("MODIFIED", TWO))
        await following.becomes(a="up", b="up")
        assert following.sink.told == []


async def test_a_watch_that_is_cut_in_the_middle_of_a_line_goes_on_before_that_line() -> None:
    async with follow() as following:
        watch = await following.begin()
        line = event("MODIFIED", TWO)
        watch.send(bookmark(42) + line[:50])
        watch.send(line[50:200])
        watch.cut()
        (await following.watch_request("42")).begin().send(line)
        await following.becomes(a="up", b="up")
        assert following.sink.told == []


async def test_lines_come_in_any_pieces() -> None:
    three = event("ADDED", part("chat-2", 44, endpoint("c", "10.1.0.6")))
    async with follow() as following:
        watch = await following.begin()
        for byte in event("MODIFIED", TWO):
            watch.send(bytes([byte]))
        await following.becomes(a="up", b="up")
        watch.send(event("MODIFIED", ONE) + three[:80])
        await following.becomes(a="up")
        watch.send(three[80:] + bookmark(50))
        await following.becomes(a="up", c="up")
        watch.finish()
        await following.watch_request("50")


@pytest.mark.parametrize("by", ["status", "event"])
async def test_a_version_that_is_gone_is_listed_anew(by: str) -> None:
    async with follow() as following:
        watch = await following.begin()
        if by == "event":
            watch.send(event("ERROR", EXPIRED))
        else:
            watch.finish()
            (await following.watch_request("42")).answer(EXPIRED, 410)
        (await following.list_request()).answer(listed(1042, TWO))
        await following.becomes(a="up", b="up")
        (await following.watch_request("1042")).begin()
        assert following.sink.told == []


async def test_another_error_of_a_watch_is_told_and_listed_anew() -> None:
    async with follow() as following:
        watch = await following.begin()
        watch.send(event("ERROR", status(504, "Timeout", "Too large resource version")))
        await following.tells("the watch ended with 504 (Too large resource version)")
        await following.becomes(a="up")
        (await following.list_request()).answer(listed(50, ONE))
        (await following.watch_request("50")).begin()
        await following.recovers()


async def test_json_that_is_broken_is_told_and_the_last_backends_stay() -> None:
    async with follow() as following:
        watch = await following.begin()
        watch.send(event("MODIFIED", TWO)[:-20] + b"\n")
        await following.tells("the Kubernetes API's answer is not understood")
        await following.becomes(a="up")
        (await following.list_request()).answer(b'{"metadata": {"resourceVersion": "9"}, "items": [{"metadata": 7}]}')
        (await following.list_request()).answer(listed(50, TWO))
        (await following.watch_request("50")).begin()
        await following.recovers()
        await following.becomes(a="up", b="up")


async def test_what_is_forbidden_names_the_role_that_is_needed() -> None:
    async with follow() as following:
        (await following.list_request()).answer(FORBIDDEN, 403)
        await following.tells("the Kubernetes API answers 403 (endpointslices.discovery.k8s.io is forbidden")
        await following.tells(
            "give the gateway's service account a Role in namespace default with apiGroups "
            '["discovery.k8s.io"], resources ["endpointslices"], verbs ["list", "watch"]'
        )
        (await following.list_request()).answer(listed(42, ONE))
        (await following.watch_request("42")).begin()
        await following.recovers()


async def test_a_role_without_watch_is_told_while_lists_are_read() -> None:
    async with follow() as following:
        (await following.list_request()).answer(listed(42, ONE))
        (await following.watch_request("42")).answer(FORBIDDEN, 403)
        await following.tells('verbs ["list", "watch"]')
        (await following.list_request()).answer(listed(43, TWO))
        await following.becomes(a="up", b="up")


async def test_the_token_is_read_again_for_each_request(tmp_path: Path) -> None:
    token = tmp_path / "token"
    token.write_text("first\n")
    async with follow(token_file=str(token)) as following:
        request = await following.list_request()
        assert request.headers["authorization"] == "Bearer first"
        token.write_text("second\n")
        request.answer(UNAUTHORIZED, 401)
        await following.tells(f"the token in {token} is not accepted")
        assert (await following.list_request()).headers["authorization"] == "Bearer second"


async def test_a_token_that_cannot_be_read_is_told(tmp_path: Path) -> None:
    async with follow(token_file=str(tmp_path / "missing")) as following:
        await following.tells("the token for the Kubernetes API cannot be read: ")
        (tmp_path / "missing").write_text("there")
        assert (await following.list_request()).headers["authorization"] == "Bearer there"


async def test_an_api_that_asks_to_wait_is_left_alone_for_that_time() -> None:
    async with follow() as following:
        (await following.list_request()).answer(status(429, "TooManyRequests", "slow down"), 429, "Retry-After: 1")
        asked = time.monotonic()
        await following.tells("the Kubernetes API answers 429 (slow down)")
        await following.list_request()
        assert time.monotonic() - asked >= 0.9


async def test_a_hangup_ends_the_pause_after_a_failure() -> None:
    async with follow() as following:
        request = await following.list_request()
        assert not following.source.asked.is_set()
        request.answer(status(503, "ServiceUnavailable", "starting"), 503, "Retry-After: 60")
        await following.tells("the Kubernetes API answers 503 (starting)")
        assert following.source.asked.is_set()
        await asyncio.sleep(0)
        following.source.on_hangup()
        (await following.list_request()).answer(listed(42, ONE))
        await following.becomes(a="up")


async def test_an_api_that_is_away_leaves_the_last_backends_in_place() -> None:
    async with play_api() as player:
        port = player.port
        sink = RecordingSink()
        config = KubernetesConfig(api_url=player.url, settle_s=0)
        source = KubernetesSource(SPEC, config, sink, random.Random(1), {})
        tasks = Tasks()
        tasks.spawn(source.run(), name=source.name)
        following = Following(player, sink, source)
        await following.begin()
    try:
        await following.tells("the Kubernetes API cannot be reached: ")
        await following.becomes(a="up")
        async with play_api(port=port) as player:
            following.player = player
            (await following.watch_request("42")).begin().send(event("MODIFIED", TWO))
            await following.becomes(a="up", b="up")
            await following.recovers()
    finally:
        await tasks.aclose()


async def test_an_api_that_does_not_answer_is_told() -> None:
    async with follow(timeout_s=0.1) as following:
        await following.list_request()
        await following.tells("the Kubernetes API does not answer in time")
        await following.list_request()


async def test_a_watch_whose_connection_is_dead_is_opened_anew_in_bounded_time() -> None:
    async with follow(timeout_s=0.5, watch_s=1) as following:
        await following.begin()
        (await following.watch_request("42")).begin()
        assert following.sink.told == []


async def test_an_answer_that_is_no_api_is_told() -> None:
    async with follow() as following:
        request = await following.list_request()
        request.writer.write(b"SSH-2.0-OpenSSH_9.2\r\n")
        await following.tells("the Kubernetes API's answer cannot be used: the answer is not HTTP")


async def test_a_service_without_slices_is_told_until_it_has_some() -> None:
    async with follow() as following:
        (await following.list_request()).answer(listed(42))
        watch = (await following.watch_request("42")).begin()
        await following.tells("the Service chat in namespace default has no EndpointSlices")
        watch.send(event("ADDED", ONE))
        await following.becomes(a="up")
        await following.recovers()


@pytest.fixture
def tls() -> ssl.SSLContext:
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    context.load_cert_chain(PEM)
    return context


async def test_the_api_is_reached_over_tls_with_the_authority_that_is_given(tls: ssl.SSLContext) -> None:
    async with follow(tls, ca_file=str(PEM)) as following:
        watch = await following.begin()
        watch.send(event("MODIFIED", TWO))
        await following.becomes(a="up", b="up")


async def test_an_api_with_a_certificate_of_another_authority_is_not_believed(tls: ssl.SSLContext) -> None:
    async with follow(tls) as following:
        await following.tells("CERTIFICATE_VERIFY_FAILED")


def test_a_process_outside_of_kubernetes_needs_the_url_of_the_api() -> None:
    with pytest.raises(ConfigError, match="give --kubernetes-api-url"):
        KubernetesSource(SPEC, KubernetesConfig(), RecordingSink(), random.Random(1), {})

"""Why tests of the suites fail: a pattern of a test's name, and the feature that Ringway does not have."""

import re

REASONS = (
    (r"^js: .*(http_stream|sse)", "no HTTP streaming, server-sent events and emulation"),
    (r"protobuf(?!=False)|Protobuf", "no Protobuf form of the protocol"),
    (r"^go: Test(SuccessfulConnect|Disconnect)$", "no Protobuf form of the protocol"),
    (r"^js: (map|compaction|debounce|recovery: map)", "no map subscriptions"),
    (r"^js: shared_poll", "no shared polls"),
    (r"^js: recovery: stream: (recovery after|unrecoverable)", "the server API has a port of its own, not port 8000"),
    (r"^python: Test(JoinLeave|PresenceTwoClients|ServerSideSubscriptions)\.", "no joins that were not asked for"),
    (r"^python: TestAutoRecovery\.", "over NATS the offsets of a channel do not grow by one"),
    (r"^go: TestSubscribeError$", "with `insecure`, channels of an unknown namespace belong to `default`"),
    (
        r"^go: TestGetStateCalledAgainOnUnrecoverablePosition$",
        "the node recovers from its replay buffer what history has no more, where the test expects a refusal",
    ),
    (r"[Dd]elta|[Ff]ossil", "no delta compression"),
)
"""The first pattern that is found in `SUITE: NAME` counts."""


def reason_of(suite: str, name: str) -> str:
    """Return the reason for which a test is expected to fail; empty if it is not."""
    return next((reason for pattern, reason in REASONS if re.search(pattern, f"{suite}: {name}")), "")

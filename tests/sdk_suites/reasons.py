"""Why tests of the suites fail: a pattern of a test's name, and the feature that Ringway does not have."""

import re

REASONS = (
    (r"^js: .*(http_stream|sse)", "no HTTP streaming, server-sent events and emulation"),
    (r"protobuf(?!=False)|Protobuf", "no Protobuf form of the protocol"),
    (r"^go: Test(SuccessfulConnect|Disconnect)$", "no Protobuf form of the protocol"),
    (r"^js: (map|(recovery|delta): map)", "no map subscriptions"),
    (r"^js: shared_poll", "no shared polls"),
    (r"^python: TestAutoRecovery\.", "the offsets of a channel grow by more than one"),
    (r"[Dd]elta|[Ff]ossil", "no delta compression"),
)
"""The first pattern that is found in `SUITE: NAME` counts."""


def reason_of(suite: str, name: str) -> str:
    """Return the reason for which a test is expected to fail; empty if it is not."""
    return next((reason for pattern, reason in REASONS if re.search(pattern, f"{suite}: {name}")), "")

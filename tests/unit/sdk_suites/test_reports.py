"""Reports of the SDKs' suites are read, and failures have reasons by name."""

import pytest

from sdk_suites.reasons import reason_of
from sdk_suites.suite import read_go, read_jest, read_pytest


def test_a_report_of_jest_names_file_and_test():
    report = {
        "testResults": [
            {
                "name": "/x/src/centrifuge.test.ts",
                "assertionResults": [
                    {"fullName": "connects", "status": "passed", "failureMessages": []},
                    {"fullName": "streams", "status": "failed", "failureMessages": ["Error: no"]},
                    {"fullName": "later", "status": "pending", "failureMessages": []},
                ],
            }
        ]
    }
    assert [(result.name, result.outcome, result.message) for result in read_jest(report)] == [
        ("centrifuge: connects", "passed", ""),
        ("centrifuge: streams", "failed", "Error: no"),
        ("centrifuge: later", "skipped", ""),
    ]


def test_each_subtest_that_fails_is_a_test_of_its_own():
    output = (
        "tests/test_client.py::TestA::test_a PASSED [ 1%]\n"
        "SUBFAILED(use_protobuf=True) tests/test_client.py::TestB::test_b\n"
        "tests/test_client.py::TestB::test_b PASSED [ 2%]\n"
        "tests/test_client.py::TestC::test_c FAILED [ 3%]\n"
        "tests/test_client.py::TestD::test_d SKIPPED [ 4%]\n"
        "SUBFAILED(use_protobuf=True) tests/test_client.py::TestB::test_b - TimeoutError: x\n"
        "FAILED tests/test_client.py::TestC::test_c - AssertionError\n"
    )
    assert [(result.name, result.outcome, result.message) for result in read_pytest(output)] == [
        ("TestB.test_b (use_protobuf=True)", "failed", "TimeoutError: x"),
        ("TestA.test_a", "passed", ""),
        ("TestC.test_c", "failed", ""),
        ("TestD.test_d", "skipped", ""),
    ]


def test_a_go_test_that_never_ended_has_failed():
    events = "\n".join(
        (
            '{"Action":"run","Test":"TestA"}',
            '{"Action":"output","Test":"TestA","Output":"panic: test timed out\\n"}',
            "no event",
            '{"Action":"run","Test":"TestB"}',
            '{"Action":"pass","Test":"TestB"}',
            '{"Action":"pass"}',
        )
    )
    assert [(result.name, result.outcome, result.message) for result in read_go(events)] == [
        ("TestA", "failed", "panic: test timed out\n"),
        ("TestB", "passed", ""),
    ]


@pytest.mark.parametrize(
    ("suite", "name", "reason"),
    [
        ("js", "map: publishes", "no map subscriptions"),
        ("js", "delta: map delta: recovery after disconnect", "no map subscriptions"),
        ("js", "delta: stream delta: recovery after disconnect", "no delta compression"),
        ("js", "compaction: subscribe offers compaction flag", ""),
        ("js", "centrifuge: http_stream: connects", "no HTTP streaming, server-sent events and emulation"),
        ("go", "TestPublishProtobuf", "no Protobuf form of the protocol"),
        ("go", "TestPublishJSON", ""),
        ("python", "TestClient.test_a (use_protobuf=True)", "no Protobuf form of the protocol"),
        ("python", "TestClient.test_a (use_protobuf=False)", ""),
    ],
)
def test_the_reason_of_a_failure_follows_from_its_name(suite, name, reason):
    assert reason_of(suite, name) == reason

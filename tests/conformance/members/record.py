#!/usr/bin/env python
"""Recorder of messages between members: writes `version-N.json` of today's wire version.

Usage, in `tests/`: python -m conformance.members.record. A file that the commit in `LAST` contains is released: members
that wrote these bytes are in use. So its messages stay as they are, and only new ones are added.
"""

import json
import subprocess
import sys
from collections import defaultdict, deque
from pathlib import Path
from typing import Any

from conformance.members import backend_samples, samples
from conformance.members.forms import FORMS, read_beat
from conformance.members.plain import plain
from ringway.core.report_reader import ReportReader
from ringway.member.sealed_bus import AGAIN, ANSWER, FAILURE, NAMED, REQUEST
from ringway.protocol.beat import encode_beat, make_beat
from ringway.protocol.control import GATEWAYS
from ringway.protocol.envelope import ANSWER as PRESENCE_ANSWER
from ringway.protocol.envelope import JOIN, LEAVE, PUBLICATION, answer_context
from ringway.protocol.envelope import QUESTION as PRESENCE_QUESTION
from ringway.protocol.expected import EXPECTED, Noted, encode_expect
from ringway.protocol.handover import Abandon, Commit, Prepare, SessionRefused, SessionTaken, session_address
from ringway.protocol.keyring import Keyring, Purpose
from ringway.protocol.knock import KnockProver
from ringway.protocol.named_request import name_receivers
from ringway.protocol.order import BALANCER, node_address
from ringway.protocol.presence import encode as encode_presence
from ringway.protocol.presence import presence_address
from ringway.protocol.report import BEAT, INTRODUCTION
from ringway.protocol.report import LEAVE as MEMBER_LEAVES
from ringway.protocol.seal import WIRE_VERSION, Sealer, Unsealer
from ringway.protocol.survey import NODES
from ringway.protocol.taken import TakenNotice, issuer_address
from ringway.protocol.ticket import TicketKind, TicketSigner
from ringway.protocol.user_order import USERS
from ringway.types import Incarnation, Issuer

HERE = Path(__file__).parent
LAST = HERE / "LAST"

_KEYRING = Keyring(samples.SECRET)
_NONCE = bytes(range(16))
_TOLD = b"10.1.2.3\nexample\nhttps"


class Recorder:
    """The messages so far, each sealed by a member."""

    def __init__(self) -> None:
        self.messages: list[dict[str, Any]] = []
        self._sealers: dict[tuple[Purpose, Incarnation], Sealer] = {}

    def add(
        self, name: str, form: str, purpose: Purpose, life: Incarnation, context: str, kind: int, content: Any
    ) -> bytes:
        """Record `content`, or the bytes that it is, sealed; return the sealed bytes."""
        sealer = self._sealers.setdefault((purpose, life), Sealer(_KEYRING, purpose, life, lambda: samples.SEALED_AT))
        sealed = sealer.seal(kind, context.encode(), FORMS[form].encode(content))
        head = {"kind": kind, "origin": life, "number": sealer.number}
        said = {"sealed": sealed.hex(), "content": plain(content)}
        self.messages.append({"name": name, "form": form, "purpose": purpose, "context": context, **head, **said})
        return sealed

    def call(self, address: str, requested: tuple[str, str, Any], answered: tuple[str, str, Any]) -> None:
        """Record a request of the gateway to `address`, and the answer of the node; each by name, form and content."""
        self.add(*requested[:2], Purpose.BUS, samples.GATEWAY_LIFE, address, REQUEST, requested[2])
        context = f"{address} {samples.GATEWAY_LIFE} {self.messages[-1]['number']}"
        self.add(*answered[:2], Purpose.BUS, samples.NODE_LIFE, context, ANSWER, answered[2])


def record_reports(recorder: Recorder) -> None:
    """Record reports, each with what a reader knows after it."""
    reader = ReportReader(Unsealer(_KEYRING, Purpose.REPORT))
    for who, first, later in (
        ("a node", samples.NODE_REPORT, samples.NODE_LATER),
        ("a gateway", samples.GATEWAY_REPORT, samples.GATEWAY_LATER),
        ("a gateway with routes", backend_samples.ROUTED_REPORT, backend_samples.ROUTED_LATER),
    ):
        beat = make_beat(later, first)
        assert beat is not None
        for what, form, kind, content in (
            ("introduction", "introduction", INTRODUCTION, first),
            ("beat", "beat", BEAT, read_beat(encode_beat(beat))),
            ("leave", "bytes", MEMBER_LEAVES, b""),
        ):
            sealed = recorder.add(
                f"{what} of {who}", form, Purpose.REPORT, first.incarnation, first.name, kind, content
            )
            read, _ = reader.read(first.name, sealed, samples.SEALED_AT)
            recorder.messages[-1]["report"] = plain(read)


def record_calls(recorder: Recorder) -> None:
    """Record calls on the bus."""
    done, refused = samples.NODE_ANSWERS.values()
    for name, content in samples.NODE_REQUESTS.items():
        answer = ("refused", "node answer", refused) if name == "move" else (f"{name} done", "node answer", done)
        recorder.call(node_address(samples.NODE), (name, "node request", content), answer)
    recorder.call(BALANCER, ("rebalance", "balancer request", samples.REBALANCE), ("plan", "plan answer", samples.PLAN))
    recorder.call(
        BALANCER, ("drain", "balancer request", samples.DRAIN), ("drain's answer", "drain answer", samples.DRAINED)
    )
    for name, (request, answered) in samples.OWNERS_CALLS.items():
        recorder.call(BALANCER, (name, "balancer request", request), (f"{name} answer", "owners answer", answered))
    for name, (request, answered) in samples.GATEWAY_CALLS.items():
        recorder.call(GATEWAYS, (name, "gateway request", request), (f"{name} answer", "gateway answer", answered))
    for name, (asked, said) in samples.SURVEYS.items():
        recorder.call(
            NODES, (f"survey of {name}", "survey question", asked), (f"{name} of a node", "survey answer", said)
        )
    for name, (order, said) in samples.USER_ORDERS.items():
        answer = (f"{name}'s answer", "user order's answer", said)
        recorder.call(USERS, (f"{name} of a user", "user order", order), answer)
    notice = TakenNotice(samples.OTHER, samples.OTHER_LIFE, 17)
    recorder.call(
        issuer_address(Issuer(samples.NODE_LIFE)),
        ("notice of redeemed tickets", "notice", notice),
        ("notice's answer", "bytes", b""),
    )
    context = f"{BALANCER} {samples.GATEWAY_LIFE} 1"
    recorder.add("failure", "bytes", Purpose.BUS, samples.NODE_LIFE, context, FAILURE, "ä fault".encode())
    recorder.add(
        "again", "bytes", Purpose.BUS, samples.NODE_LIFE, context, AGAIN, b"sealed 30 s before this member started"
    )
    named = name_receivers((samples.NODE_LIFE, samples.OTHER_LIFE), b"a request")
    recorder.add("named request", "bytes", Purpose.BUS, samples.GATEWAY_LIFE, BALANCER, NAMED, named)


def record_handover(recorder: Recorder) -> None:
    """Record the messages that hand a session over."""
    address = session_address(samples.OTHER)
    prepare = Prepare(samples.TICKET, samples.CLIENT, "carol", (samples.ROOM, "lobby"))
    taken, refused = ("taken", "session answer", SessionTaken()), ("no", "session answer", SessionRefused("it is full"))
    session, of_user = (FORMS["session"].encode(each) for each in (samples.SESSION, samples.SESSION_OF_USER))
    recorder.call(address, ("prepare", "session request", prepare), refused)
    recorder.call(address, ("commit", "session request", Commit(samples.TICKET, session)), taken)
    recorder.call(address, ("abandon", "session request", Abandon(samples.TICKET)), taken)
    body = {"body": session.hex(), "content": plain(samples.SESSION)}
    recorder.messages.append({"name": "session", "form": "session", **body})
    body = {"body": of_user.hex(), "content": plain(samples.SESSION_OF_USER)}
    recorder.messages.append({"name": "session of a user", "form": "session", **body})


def record_channels(recorder: Recorder) -> None:
    """Record the messages on channels, and a question about presence that goes to one node."""
    for name, kind, body in (
        ("publication", PUBLICATION, samples.PUBLICATION_BODY),
        ("join", JOIN, samples.INFO_BODY),
        ("leave of a client", LEAVE, samples.INFO_BODY),
    ):
        recorder.add(name, "bytes", Purpose.PUBLICATION, samples.NODE_LIFE, samples.ROOM, kind, body)
    question = recorder.add(
        "question",
        "presence question",
        Purpose.PUBLICATION,
        samples.NODE_LIFE,
        samples.ROOM,
        PRESENCE_QUESTION,
        samples.QUESTION,
    )
    context = answer_context(samples.ROOM, bytes.fromhex(samples.NODE_LIFE), recorder.messages[-1]["number"]).decode()
    answer = recorder.add(
        "answer",
        "presence answer",
        Purpose.PUBLICATION,
        samples.OTHER_LIFE,
        context,
        PRESENCE_ANSWER,
        samples.PRESENT,
    )
    assert encode_presence(samples.PRESENT) == answer[36:]
    recorder.call(
        presence_address(bytes.fromhex(samples.OTHER_LIFE)),
        ("question to one node", "bytes", question),
        ("answer of one node", "bytes", answer),
    )


def record_groups(recorder: Recorder) -> None:
    """Record calls about groups of backends, and messages about clients that are expected back."""
    for name, (request, answered) in backend_samples.CALLS.items():
        recorder.call(GATEWAYS, (name, "gateway request", request), (f"{name} answer", "gateway answer", answered))
    rebalance, plan = backend_samples.REBALANCE, backend_samples.PLAN
    recorder.call(
        BALANCER,
        ("rebalance of a group", "balancer request", rebalance),
        ("plan of groups", "plan answer", plan),
    )
    for name, message in backend_samples.EXPECTED.items():
        recorder.call(EXPECTED, (name, "expect message", message), (f"{name} noted", "bytes", encode_expect(Noted())))


def record_texts() -> list[dict[str, Any]]:
    """Return the proofs that travel as text: tickets, forwarded headers, knocks."""
    signer, prover = TicketSigner(_KEYRING), KnockProver(_KEYRING)
    nonce, at = _NONCE[:8], samples.SEALED_AT
    tickets = [
        {
            "name": f"ticket of a {kind.name.lower()}",
            "form": "ticket",
            "node": samples.NODE,
            "issuer": samples.GATEWAY_LIFE,
            "nonce": nonce.hex(),
            "ticket_kind": int(kind),
            "text": signer.issue(samples.NODE, Issuer(samples.GATEWAY_LIFE), nonce, at, kind=kind),
        }
        for kind in TicketKind
    ]
    knock = prover.ask(_NONCE)
    believed = prover.believe(knock)
    assert believed is not None
    answer = prover.answer(believed, samples.NODE, samples.NODE_LIFE)
    told, asked = {"told": _TOLD.hex(), "ticket": samples.TICKET}, {"nonce": _NONCE.hex()}
    return [
        *tickets,
        {"name": "forwarded", "form": "forwarded", **told, "text": signer.prove(samples.TICKET, _TOLD)},
        {"name": "knock", "form": "knock", **asked, "text": knock},
        {"name": "knock's answer", "form": "answered", **asked, "node": samples.NODE, "origin": samples.NODE_LIFE,
         "text": answer},
    ]  # fmt: skip


def record() -> dict[str, Any]:
    """Return the content of the file."""
    recorder = Recorder()
    record_reports(recorder)
    record_calls(recorder)
    record_handover(recorder)
    record_channels(recorder)
    record_groups(recorder)
    head = {"wire_version": WIRE_VERSION, "secret": samples.SECRET.decode(), "sealed_at": samples.SEALED_AT}
    return {**head, "messages": recorder.messages, "texts": record_texts()}


def is_released(path: Path, last: Path = LAST) -> bool:
    """Return True if the commit in the file `last` contains the file, or is not in this clone."""
    commit = last.read_text().split()[0]
    return not _has(path.parent, commit) or _has(path.parent, f"{commit}:./{path.name}")


def _has(folder: Path, thing: str) -> bool:
    found = subprocess.run(["git", "cat-file", "-e", thing], cwd=folder, capture_output=True, check=False)
    return not found.returncode


def add_new(before: dict[str, Any], today: dict[str, Any]) -> dict[str, Any]:
    """Return what is in `before`, as it was recorded there, and what is new in `today`.

    Raise `ValueError` if `today` lacks a message of `before`.
    """
    merged = dict(before)
    for part in ("messages", "texts"):
        recorded = defaultdict[str, deque[Any]](deque)
        for each in before[part]:
            recorded[each["name"]].append(each)
        merged[part] = [recorded[each["name"]].popleft() if recorded[each["name"]] else each for each in today[part]]
        missing = [name for name, left in recorded.items() if left]
        if missing:
            raise ValueError(", ".join(missing))
    return merged


def write(path: Path, last: Path = LAST) -> str:
    """Write the file; if it is released, add what is new. Return why it was not written, or an empty text."""
    content = record()
    if path.exists() and is_released(path, last):
        try:
            content = add_new(json.loads(path.read_text()), content)
        except ValueError as error:
            return (
                f"{path.name} is released: the commit in {last.name} contains it, or is not in this clone. Members use "
                f"a message that has no sample any more: {error}. To drop it, raise the wire version "
                "(docs/reference/compatibility.md)"
            )
    path.write_text(json.dumps(content, indent=1, ensure_ascii=False) + "\n")
    return ""


def main() -> int:
    """Write the file of today's wire version; return the exit code."""
    path = HERE / f"version-{WIRE_VERSION}.json"
    refusal = write(path)
    sys.stderr.write(f"{refusal or f'{path.name} is written'}\n")
    return 1 if refusal else 0


if __name__ == "__main__":
    sys.exit(main())

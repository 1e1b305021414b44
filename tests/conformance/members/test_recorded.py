"""Recorded messages of each wire version that members read: today's code reads them, and is read by their writers.

PROTOCOL.md P-8.5. A field may be added, if it has a usual value; nothing else may change.
"""

import json
import subprocess
from pathlib import Path
from typing import Any

import pytest

from conformance.members import record, samples
from conformance.members.forms import FORMS
from conformance.members.kit import FILES, Recorded, load, recorded
from conformance.members.plain import LATER, differences, plain, reads_as, with_more
from conformance.members.rules import Head, is_proven, read_head
from ringway.core.report_reader import ReportReader
from ringway.protocol.envelope import ANSWER, QUESTION, body_of, is_sound, open_envelope
from ringway.protocol.keyring import Keyring, Purpose
from ringway.protocol.knock import Answered, KnockProver
from ringway.protocol.seal import WIRE_MAX, WIRE_MIN, WIRE_VERSION, Sealer, SealError, Unsealer
from ringway.protocol.ticket import TicketKind, TicketSigner
from ringway.types import Channel, Incarnation, Issuer, NodeName
from support.last_version import is_in_history, last_commit, why_not_here

VERSIONS = [version for version in FILES if WIRE_MIN <= version <= WIRE_MAX]
MESSAGES = [each for version in VERSIONS for each in recorded(version)]
TEXTS = [(version, each) for version in VERSIONS for each in load(version)["texts"]]


def named(messages: list[Recorded]) -> Any:
    return pytest.mark.parametrize("message", messages, ids=[f"{m.version}-{m.said['name']}" for m in messages])


def test_there_is_a_file_of_each_version_that_members_read() -> None:
    assert list(range(WIRE_MIN, WIRE_MAX + 1)) == VERSIONS
    assert WIRE_VERSION in VERSIONS


@named(MESSAGES)
def test_a_recorded_message_is_read(message: Recorded) -> None:
    content = message.form.decode(message.body)
    assert differences(content, message.said["content"]) == []


@named([message for message in MESSAGES if message.form.codec])
def test_todays_encoding_says_to_yesterdays_readers_the_same(message: Recorded) -> None:
    codec = message.form.codec
    today = message.form.encode(message.form.decode(message.body))
    assert reads_as(codec.decode(today), codec.decode(message.body)) == []


@named([message for message in MESSAGES if message.form.codec])
def test_a_field_of_tomorrow_is_skipped(message: Recorded) -> None:
    content = message.form.decode(message.body)
    today = message.form.codec.decode(message.form.encode(content))
    more = message.form.codec.encode(with_more(content, today))
    assert LATER.encode() in more or message.form.codec.decode(more)[-1] == [1, "two"]
    assert differences(message.form.decode(more), message.said["content"]) == []


@named([message for message in MESSAGES if message.sealed])
def test_todays_seal_is_that_of_the_protocol(message: Recorded) -> None:
    """PROTOCOL.md P-8.1, P-8.2: the head and the proof are the same in all versions."""
    said = message.said
    head = said["kind"], said["origin"], said["number"], int(message.sealed_at * 1000)
    assert read_head(message.sealed) == Head(message.version, *head)
    assert is_proven(message.secret, said["purpose"], said["context"], message.sealed)
    sealer = Sealer(message.keyring, Purpose(said["purpose"]), Incarnation(said["origin"]), lambda: message.sealed_at)
    while sealer.number < said["number"]:
        today = sealer.seal(said["kind"], said["context"].encode(), message.body)
    assert is_proven(message.secret, said["purpose"], said["context"], today)
    assert read_head(today) == Head(WIRE_VERSION, *head)
    if message.version == WIRE_VERSION:
        assert today == message.sealed


@named([message for message in MESSAGES if message.sealed])
@pytest.mark.parametrize("byte", [0, 5, 13, 19, 20, 35, -1])
def test_a_recorded_message_is_proven_as_a_whole(message: Recorded, byte: int) -> None:
    broken = bytearray(message.sealed)
    broken[byte] ^= 0x40
    assert not is_proven(message.secret, message.said["purpose"], message.said["context"], bytes(broken))
    unsealer = Unsealer(message.keyring, Purpose(message.said["purpose"]))
    with pytest.raises(SealError):
        unsealer.unseal(message.said["context"].encode(), bytes(broken))


@pytest.mark.parametrize("version", VERSIONS)
def test_recorded_reports_tell_the_same_state(version: int) -> None:
    """PROTOCOL.md P-8.3, P-8.4: introductions, then beats that build on them, then leaves."""
    reports = [message for message in recorded(version) if "report" in message.said]
    assert {message.said["kind"] for message in reports} == {1, 2, 3}
    reader = ReportReader(Unsealer(reports[0].keyring, Purpose.REPORT))
    for message in reports:
        found, sent_at = reader.read(NodeName(message.said["context"]), message.sealed, message.sealed_at)
        assert differences(found, message.said["report"]) == [], message.said["name"]
        assert sent_at == message.sealed_at


@named([message for message in MESSAGES if message.said.get("purpose") == Purpose.PUBLICATION])
def test_recorded_messages_on_channels_are_for_clients_or_for_nodes(message: Recorded) -> None:
    """PROTOCOL.md P-10.1."""
    if message.said["kind"] in (QUESTION, ANSWER):
        assert not is_sound(message.sealed)
        envelope = open_envelope(message.sealed, message.said["kind"])
        assert (envelope.origin.hex(), envelope.seq) == (message.said["origin"], message.said["number"])
        assert envelope.body == message.body
    else:
        assert is_sound(message.sealed)
        assert body_of(message.sealed, 0) == message.body
        assert json.loads(body_of(message.sealed, 7)) == {"offset": 7, **json.loads(message.body)}


@pytest.mark.parametrize(("version", "said"), TEXTS, ids=[f"{version}-{said['name']}" for version, said in TEXTS])
def test_recorded_proofs_in_texts_are_believed_and_written_alike(version: int, said: dict[str, Any]) -> None:
    """PROTOCOL.md P-5.2, P-3.4.3, P-8.11. Tickets of another wire version may have another form."""
    file = load(version)
    keyring, at, text = Keyring(file["secret"].encode()), file["sealed_at"], said["text"]
    if said["form"] == "ticket":
        node, issuer, nonce = NodeName(said["node"]), Issuer(said["issuer"]), bytes.fromhex(said["nonce"])
        kind = TicketKind(said["ticket_kind"])
        assert TicketSigner(keyring).check(text, node, at) == (issuer, nonce, kind)
        written = TicketSigner(keyring).issue(node, issuer, nonce, at, kind=kind)
    elif said["form"] == "forwarded":
        told = bytes.fromhex(said["told"])
        assert TicketSigner(keyring).proves(text, said["ticket"], told)
        written = TicketSigner(keyring).prove(said["ticket"], told)
    else:
        nonce, prover = bytes.fromhex(said["nonce"]), KnockProver(keyring)
        believed = prover.believe(prover.ask(nonce))
        assert believed is not None
        if said["form"] == "knock":
            assert prover.believe(text) == believed
            written = prover.ask(nonce)
        else:
            node, life = NodeName(said["node"]), Incarnation(said["origin"])
            assert prover.read_answer(text, nonce) == Answered(node, life, proven=True)
            written = prover.answer(believed, node, life)
    assert written == text or version != WIRE_VERSION


def test_the_samples_are_those_that_were_recorded() -> None:
    """A message that is added is recorded too: run `python -m conformance.members.record`, see README.md."""
    today, before = record.record(), load(WIRE_VERSION)
    for part in ("messages", "texts"):
        assert [each["name"] for each in today[part]] == [each["name"] for each in before[part]]
    assert {message["form"] for message in before["messages"]} == set(FORMS)
    channels = {message["context"] for message in before["messages"] if message.get("purpose") == "publication"}
    assert Channel(samples.ROOM) in channels


def git(folder: Path, *words: str) -> str:
    who = ("-c", "user.name=a", "-c", "user.email=a@localhost", "-c", "commit.gpgsign=false")
    return subprocess.run(["git", *who, *words], cwd=folder, capture_output=True, text=True, check=True).stdout


def released(folder: Path, content: dict[str, Any]) -> tuple[Path, Path]:
    """Return a file with this content, and the file that names the commit which has released it."""
    path, last = folder / "version-2.json", folder / "LAST"
    path.write_text(json.dumps(content))
    git(folder, "init", "-q")
    git(folder, "add", path.name)
    git(folder, "commit", "-q", "-m", "a release")
    last.write_text(git(folder, "rev-parse", "HEAD"))
    return path, last


def test_messages_of_a_released_file_are_not_recorded_again_and_new_ones_are_added(tmp_path: Path) -> None:
    today = record.record()
    before = {**today, "messages": [{**each, "sealed": "as it was"} for each in today["messages"]]}
    added = before["messages"].pop(7)
    path, last = released(tmp_path, before)
    assert record.write(path, last) == ""
    written = json.loads(path.read_text())
    assert written["messages"][7] == today["messages"][7]
    assert written["messages"][7]["name"] == added["name"]
    del written["messages"][7]
    assert written == before


def test_a_message_of_a_released_file_cannot_be_dropped(tmp_path: Path) -> None:
    today = record.record()
    path, last = released(tmp_path, {**today, "texts": [*today["texts"], {"name": "of the last release"}]})
    before = path.read_text()
    assert "has no sample any more: of the last release" in record.write(path, last)
    last.write_text("0123456789" * 4)
    assert "is not in this clone" in record.write(path, last)
    assert path.read_text() == before


def test_a_file_of_a_new_version_is_written_anew(tmp_path: Path) -> None:
    _, last = released(tmp_path, record.record())
    new = tmp_path / "version-3.json"
    new.write_text("of yesterday")
    assert record.write(new, last) == ""
    assert json.loads(new.read_text()) == record.record()


@pytest.mark.skipif(bool(why_not_here()), reason=why_not_here())
def test_the_commit_of_the_last_version_is_in_the_history() -> None:
    """Without it, no member of the last version could run beside those of today (tests/integration/system)."""
    assert is_in_history(), f"{record.LAST} names {last_commit()}, which this history lacks; name a commit that it has"
    assert record.is_released(record.HERE / f"version-{WIRE_VERSION}.json")


def test_a_difference_is_found() -> None:
    """The judges of this file, at a message that is wrong in each way."""
    beat = next(message for message in MESSAGES if message.said["name"] == "beat of a node")
    content, said = beat.form.decode(beat.body), beat.said["content"]
    assert differences(content, {**said, "c": 0})
    assert differences(content, {**said, "gone": 1})
    assert differences(content, {name: value for name, value in said.items() if name != "c"})
    claims = {samples.BACKEND.name: samples.CLAIM}
    told = plain(claims)
    older = {name: {field: said for field, said in each.items() if field != "lease_s"} for name, each in told.items()}
    assert not differences(claims, older), "a field of later, in a map"
    assert differences(claims, {name: {**each, "since": 0.0} for name, each in told.items()})
    assert differences(claims, {**told, "b": told[samples.BACKEND.name]})
    raw = beat.form.codec.decode(beat.body)
    assert reads_as({name: value for name, value in raw.items() if name != "c"}, raw)
    assert reads_as({**raw, "w": 0}, raw), "another type"
    assert not reads_as({**raw, "later": 1}, raw)

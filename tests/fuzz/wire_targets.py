"""Parsers of `protocol/`: frames, messages, commands, tickets, and what members send each other."""

import json
from collections.abc import Callable
from contextlib import suppress

import msgspec

from ringway.core.session import decode_session
from ringway.errors import CommandError, ProtocolError, TicketError, TokenError
from ringway.protocol.beat import decode_beat
from ringway.protocol.channel import check_channel
from ringway.protocol.claims import read_connection_claims, read_subscription_claims
from ringway.protocol.codec import decode_commands, decode_replies, encode_commands
from ringway.protocol.command import COMMAND_ID_MAX, Unreadable
from ringway.protocol.control import decode_gateway_answer, decode_gateway_request
from ringway.protocol.envelope import ANSWER, QUESTION, body_of, is_sound, open_envelope
from ringway.protocol.frame import FrameTracker, close_answer, close_of, close_payload, read_close
from ringway.protocol.handover import decode_answer as decode_session_answer
from ringway.protocol.handover import decode_request as decode_session_request
from ringway.protocol.jwt import read_compact
from ringway.protocol.keyring import Keyring
from ringway.protocol.message import MessageAssembler, check_control
from ringway.protocol.move import read_follows, read_move
from ringway.protocol.order import (
    decode_balancer_request,
    decode_drain_answer,
    decode_node_answer,
    decode_node_request,
    decode_plan_answer,
)
from ringway.protocol.presence import decode_answer as decode_presence_answer
from ringway.protocol.presence import decode_question
from ringway.protocol.report import decode_introduction
from ringway.protocol.survey import decode_answer as decode_survey_answer
from ringway.protocol.survey import decode_question as decode_survey_question
from ringway.protocol.ticket import TicketSigner
from ringway.protocol.user_order import decode_answer as decode_user_answer
from ringway.protocol.user_order import decode_request as decode_user_order
from ringway.types import NodeName
from support.tokens import part

MESSAGE_BYTES_MAX = 1024
NOW = 1_800_000_000.0
NODE = NodeName("node-1")
SIGNER = TicketSigner(Keyring(b"a secret of tests"))

MEMBERS: tuple[Callable[[bytes], object], ...] = (
    decode_introduction,
    decode_beat,
    decode_node_request,
    decode_node_answer,
    decode_balancer_request,
    decode_drain_answer,
    decode_plan_answer,
    decode_gateway_request,
    decode_gateway_answer,
    decode_question,
    decode_presence_answer,
    decode_survey_question,
    decode_survey_answer,
    decode_user_order,
    decode_user_answer,
    decode_session_request,
    decode_session_answer,
    decode_session,
)


def frames(data: bytes) -> None:
    """A byte stream of frames: the same passes and the same ends it, however it is cut into reads."""
    if len(data) < 2:
        return
    flags, cut, stream = data[0], data[1], data[2:]
    at = cut % (len(stream) + 1)
    masked, extensions = bool(flags & 1), bool(flags & 2)
    whole = _followed(FrameTracker(masked=masked, extensions=extensions), [stream])
    pieces = _followed(FrameTracker(masked=masked, extensions=extensions), [stream[:at], stream[at:]])
    assert pieces == whole, (whole, pieces)
    assert stream.startswith(whole[0])


def _followed(tracker: FrameTracker, pieces: list[bytes]) -> tuple[bytes, bytes | None, str]:
    """What passed of a stream, the close frame that ended it, and the breach that did."""
    passed = b"".join(tracker.feed(piece) for piece in pieces)
    if tracker.close is not None:
        with suppress(ProtocolError):
            close_of(tracker.close)
        close_answer(tracker.close)
    return passed, tracker.close, str(tracker.breach or "")


def messages(data: bytes) -> None:
    """Frames to messages: no message is larger than allowed, and text is UTF-8."""
    assembler = MessageAssembler(MESSAGE_BYTES_MAX, 16)
    while len(data) >= 2:
        first, size = data[0], data[1]
        payload, data = data[2 : 2 + size], data[2 + size :]
        opcode, fin, rsv = first & 0x0F, bool(first & 0x80), bool(first & 0x40)
        try:
            if opcode >= 0x8:
                check_control(opcode, payload, fin=fin, rsv=rsv)
                continue
            message = assembler.feed(opcode, payload, fin=fin, rsv=rsv)
        except ProtocolError:
            return
        if message is not None:
            assert len(message[1]) <= MESSAGE_BYTES_MAX
            if message[0] == 0x1:
                message[1].decode()


def closes(data: bytes) -> None:
    """The payload of a close frame: what is read can be said again."""
    try:
        code, reason = read_close(data)
    except ProtocolError:
        return
    assert read_move(reason) is None or reason.startswith("move ")
    if data and len(data) <= 125:
        assert close_payload(code, reason) == data


def commands(data: bytes) -> None:
    """A frame of commands: each line is a command, or is known to be unreadable; a frame can be written again."""
    found = decode_commands(data)
    assert len(found) == sum(bool(line) for line in data.split(b"\n"))
    for command in found:
        if isinstance(command, Unreadable):
            assert 0 <= command.id <= COMMAND_ID_MAX
            command.why.encode()
            assert command.method() is None
    again = decode_commands(encode_commands(found))
    assert again == found
    for command in found:
        request = command.subscribe or command.publish or command.history or command.unsubscribe
        if request is not None:
            with suppress(CommandError):
                check_channel(request.channel, 255)


def replies(data: bytes) -> None:
    """A frame of replies, as the Python client reads it."""
    try:
        decode_replies(data)
    except ProtocolError as error:
        str(error).encode()


def members(data: bytes) -> None:
    """What members send each other."""
    for decode in MEMBERS:
        try:
            found = decode(data)
        except ProtocolError as error:
            str(error).encode(errors="surrogateescape")
        else:
            assert isinstance(found, msgspec.Struct | tuple)


def tickets(data: bytes) -> None:
    """A ticket, and a move that carries one: nothing that was not issued is admitted."""
    text = data.decode("latin-1")
    try:
        SIGNER.check(text, NODE, NOW)
    except TicketError:
        pass
    else:
        raise AssertionError("a ticket that nobody issued was admitted")
    move = read_move(text)
    assert move is None or move.reason() == text
    assert read_follows(text) in ("", text)


def envelopes(data: bytes) -> None:
    """A payload from the engine: what is sound stays one line, with and without an offset."""
    if is_sound(data):
        for offset in (0, 7):
            body = body_of(data, offset)
            assert body.startswith(b"{")
            assert b"\n" not in body
    for kind in (QUESTION, ANSWER):
        with suppress(ProtocolError):
            envelope = open_envelope(data, kind)
            assert not is_sound(data)
            assert len(envelope.origin) == 4


def tokens(data: bytes) -> None:
    """Tokens, and claims that somebody has signed: read in one way, or refused; what is told to others is JSON."""
    with suppress(TokenError):
        read = read_compact(data.decode("latin-1"))
        assert b".".join((read.signed, part(read.signature).encode())) == data, "a token has one text"
    with suppress(TokenError):
        read_compact(f"{part(data)}.{part(b'{}')}.AA")
    with suppress(TokenError):
        claims = read_connection_claims(data)
        assert not any(char < " " for char in claims.sub)
        assert claims.expires_at >= 0
        shown = [claims.shown_info, claims.hidden_meta]
        shown += [text for each in claims.subs.values() for text in (each.channel_info, each.first_data)]
        for text in filter(None, shown):
            json.loads(text)
    with suppress(TokenError):
        assert read_subscription_claims(data).channel


TARGETS: dict[str, Callable[[bytes], None]] = {
    "frames": frames,
    "messages": messages,
    "closes": closes,
    "commands": commands,
    "replies": replies,
    "members": members,
    "tickets": tickets,
    "tokens": tokens,
    "envelopes": envelopes,
}

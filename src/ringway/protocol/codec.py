"""Codec between frames and commands or replies. A frame carries JSON objects, one a line (PROTOCOL.md P-4.2)."""

import json
from collections.abc import Iterable

import msgspec

from ringway.errors import CommandError
from ringway.protocol.command import COMMAND_ID_MAX, Command, Empty, Reply, ReplyError, Unreadable
from ringway.protocol.decoding import UNREADABLE, reader
from ringway.protocol.envelope import JOIN, PUBLICATION

PING = b"{}"
"""The ping of a server, and the pong of a client."""

_encoder = msgspec.json.Encoder()
_commands = msgspec.json.Decoder(Command)
_read_reply = reader(msgspec.json.Decoder(Reply).decode, "a reply")

encode = _encoder.encode
"""Return any message struct as JSON."""

EMPTY = Empty()


def decode_commands(frame: bytes) -> list[Command]:
    """Return the commands in one frame, in order.

    An unreadable line becomes an `Unreadable`. If the line is an object of JSON with an id, the `Unreadable` has this
    id, so that this command alone can be refused; otherwise it has the id 0.
    """
    return [_decode_command(line) for line in frame.split(b"\n") if line]


def _decode_command(line: bytes) -> Command:
    try:
        return _commands.decode(line)
    except UNREADABLE as error:
        return _unreadable(line, str(error))


def _unreadable(line: bytes, why: str) -> Unreadable:
    """Find the id of a command that breaks a rule of this protocol, but no rule of JSON (RFC 8259)."""
    command_id = 0
    try:
        command = json.loads(line, parse_constant=_refuse_constant)
        found = command.get("id") if isinstance(command, dict) else None
        if type(found) is int and 0 < found <= COMMAND_ID_MAX:
            command_id = found
        json.dumps(command, ensure_ascii=False).encode()
    except UnicodeEncodeError:
        why = "a text has half of a surrogate pair (\\ud800 to \\udfff); send both halves, or none"
    except UNREADABLE:
        pass  # the line is no JSON: `why` says so
    return Unreadable(id=command_id, line=line, why=f"a command cannot be read: {why}")


def _refuse_constant(name: str) -> None:
    raise ValueError(f"{name} is not JSON")


def encode_commands(commands: Iterable[Command]) -> bytes:
    """Return the frame of `commands`: the inverse of `decode_commands`."""
    return b"\n".join(line.line if isinstance(line, Unreadable) else _encoder.encode(line) for line in commands)


def decode_replies(frame: bytes) -> list[Reply]:
    """Return the replies and pushes in one frame, in order; raise `ProtocolError` for an unreadable line."""
    return [_read_reply(line) for line in frame.split(b"\n") if line]


def encode_error(command_id: int, error: CommandError) -> bytes:
    """Return the reply that refuses a command."""
    refused = ReplyError(error.code, error.args[0].partition(": ")[2], temporary=error.temporary)
    return _encoder.encode(Reply(id=command_id, error=refused))


def push_head(channel: str) -> bytes:
    """Return the bytes before an encoded publication in its push; `PUSH_TAIL` follows the publication."""
    return b'{"push":{"channel":' + _encoder.encode(channel) + b',"pub":'


PUSH_TAIL = b"}}"


def encode_pushes(channel: str, publications: list[bytes]) -> bytes:
    """Return the content of a frame: the pushes of encoded `publications` of one channel, one a line, in order."""
    head = push_head(channel)
    if len(publications) == 1:
        return head + publications[0] + PUSH_TAIL
    return head + (PUSH_TAIL + b"\n" + head).join(publications) + PUSH_TAIL


def encode_push(channel: str, kind: int, body: bytes) -> bytes:
    """Return the content of a frame: the push of one message of any kind; `body` is its object."""
    if kind == PUBLICATION:
        return push_head(channel) + body + PUSH_TAIL
    name = b"join" if kind == JOIN else b"leave"
    return b'{"push":{"channel":' + _encoder.encode(channel) + b',"' + name + b'":{"info":' + body + b"}}}"

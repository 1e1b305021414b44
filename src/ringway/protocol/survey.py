"""Questions of one node to all nodes, and their answers, over the bus (PROTOCOL.md P-9.12)."""

import msgspec

from ringway.protocol.count import Count
from ringway.protocol.decoding import reader
from ringway.types import Incarnation, NodeName

NODES = "nodes"
"""The bus address that every node serves; `Bus.gather` reaches all of them."""

ANSWER_BYTES_MAX = 512 * 1024
"""The longest list in an answer, by its names: engines bound their messages, by default to 1 MiB."""


class AskInfo(msgspec.Struct, frozen=True, kw_only=True, tag="info"):
    """Say what the node is doing."""


class AskChannels(msgspec.Struct, frozen=True, kw_only=True, tag="channels"):
    """Name the channels with subscribers, those that match the glob `pattern` if it is given."""

    pattern: str = ""
    channels_max: Count = 10_000


SurveyQuestion = AskInfo | AskChannels


class NodeInfo(msgspec.Struct, frozen=True, kw_only=True, tag="info"):
    """What a node is doing."""

    name: NodeName
    incarnation: Incarnation
    version: str
    connections: Count
    users: Count
    subscriptions: Count
    channels: Count
    uptime_s: float
    cpu: float  # share of one core, 0 to 1
    memory_bytes: Count


class NodeChannels(msgspec.Struct, frozen=True, kw_only=True, tag="channels"):
    """The channels of a node, each with the number of its subscribers there."""

    incarnation: Incarnation
    channels: dict[str, Count]
    is_cut: bool = False  # there are more than may be named


SurveyAnswer = NodeInfo | NodeChannels

_encoder = msgspec.json.Encoder()
_question: msgspec.json.Decoder[SurveyQuestion] = msgspec.json.Decoder(SurveyQuestion)
_answer: msgspec.json.Decoder[SurveyAnswer] = msgspec.json.Decoder(SurveyAnswer)

encode = _encoder.encode
decode_question = reader(_question.decode, "a question to all nodes")
decode_answer = reader(_answer.decode, "the answer of a node")

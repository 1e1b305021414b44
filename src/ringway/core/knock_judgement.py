"""Verdicts on knocks: the meaning of the answer at a node's URL, and the remedy for its operator (PROTOCOL.md P-8.11).

Each sentence goes on after "its URL ws://... ".
"""

from typing import NamedTuple

from ringway.core.knock import UNREACHABLE, Knock
from ringway.protocol.knock import Answered
from ringway.protocol.response import read_error


class KnockVerdict(NamedTuple):
    """The meaning of an answer. `kind` is empty if the expected node has answered; `why` is the problem."""

    kind: str
    why: str


_WRONG = "correct the node's --url, or the server in front of the node"

EXPECTED = KnockVerdict("", "")
"""The node that was expected has answered."""


def judge_answer(knock: Knock, answered: Answered | None) -> KnockVerdict:
    """Judge the answer that came with an opened WebSocket; None if its header is missing or has a different form."""
    if answered is None:
        return KnockVerdict(
            "no_proof",
            "opens a WebSocket without a proof of which node is there: it leads to a server that is no node of this "
            "cluster, or a proxy on the way takes the header Ringway-Knock out; correct the node's --url, or let that "
            "header pass",
        )
    if not answered.proven:
        return KnockVerdict(
            "secret",
            f"answers as {answered.name} with a proof that is not made with this gateway's secret; give all members "
            "the same secret",
        )
    if answered.name != knock.name:
        return KnockVerdict("another", f"answers as another node, {answered.name}; give each node its own --url")
    if answered.incarnation != knock.incarnation:
        return KnockVerdict(
            "another",
            f"answers as another incarnation, {answered.incarnation} in place of {knock.incarnation}: an earlier "
            "process still listens there, or two nodes use this name; stop one of them, or give each its own --url",
        )
    return EXPECTED


def judge_refusal(status: int, body: bytes) -> KnockVerdict:
    """Judge an answer that opens no WebSocket. A node says the remedy of its 403 itself, and knows the cause better."""
    said = read_error(body)
    told = f"refuses the knock with {status}" + (f" ({said})" if said else "")
    if 300 <= status < 400:
        return KnockVerdict("refused", f"answers with the redirect {status}; give the node's final address as --url")
    if status == 403 and "; " in said:
        return KnockVerdict("refused", told)
    remedies = {
        401: "a proxy or server there wants a login; let gateways through",
        403: "give all members the same secret, and let gateways through proxies on the way",
        404: "no node serves that path; correct the path in the node's --url",
        426: "the server there does not speak WebSocket at that path; correct the node's --url",
        503: "the node, or a proxy on the way, takes no more now; it is asked again",
    }
    return KnockVerdict("refused", f"{told}; {remedies.get(status, _WRONG)}")


def judge_silence(problem: str) -> KnockVerdict:
    """Judge a knock that had no answer; `problem` names the step that failed."""
    return KnockVerdict(
        UNREACHABLE,
        f"cannot be reached ({problem}); correct the node's --url, or open the way from gateways to it",
    )


def judge_nonsense(problem: str) -> KnockVerdict:
    """Judge an answer that breaks the rules of a WebSocket handshake; `problem` names the rule."""
    return KnockVerdict("no_websocket", f"does not open a WebSocket ({problem}); correct the node's --url")

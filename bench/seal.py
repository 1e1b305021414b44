"""What it costs to seal a publication and to prove it: both ends of its way between two nodes, beside the bare MAC.

The ends are those of the product: `Origin.seal`, and what a node asks of each message before its fan-out. Rounds
alternate, and the best one of each counts, in processor time: another process on the machine is not the seal's cost.

    scripts/bench seal [--bytes 128] [--count 20000] [--rounds 25]
"""

import hashlib
import statistics
import time
from collections.abc import Callable

from report import Claim, Result, parser, publish
from ringway.core.message_refusals import MessageRefusals
from ringway.member.publication_proofs import PublicationProofs
from ringway.protocol.envelope import PUBLICATION, Origin
from ringway.protocol.keyring import Keyring
from ringway.protocol.seal import BODY_AT
from ringway.types import Channel, Incarnation

KEYRING = Keyring(b"a secret of 32 bytes, as it is.")
ROOM = Channel("room:1")
BOTH_US_MAX = 3.0


def us(work: Callable[[], object], count: int) -> float:
    """Return the processor time of one of `count` calls in µs."""
    began = time.process_time_ns()
    for _ in range(count):
        work()
    return (time.process_time_ns() - began) / count / 1000


def prove_all(proofs: PublicationProofs, payloads: list[bytes], offset: int) -> float:
    """Return the processor time of one proof in µs; each payload is new."""
    began = time.process_time_ns()
    for payload in payloads:
        if not proofs.believe(ROOM, payload, offset):
            raise AssertionError("a message of our own was not believed")
    return (time.process_time_ns() - began) / len(payloads) / 1000


def rounds(count: int, number: int, size: int) -> dict[str, list[float]]:
    """Return the times of each step in `number` rounds of `count`, with objects of `size` bytes, in µs."""
    body = b'{"data":"%b"}' % (b"x" * (size - 11))
    origin = Origin(KEYRING, Incarnation("0000000a"), time.time)
    proofs = PublicationProofs(KEYRING, MessageRefusals())
    keyed = hashlib.blake2b(key=bytes(32), digest_size=16)
    message = bytes(len(ROOM) + 1 + BODY_AT - 16 + len(body))

    def bare() -> None:
        mac = keyed.copy()
        mac.update(message)
        mac.digest()

    times: dict[str, list[float]] = {"bare MAC": [], "seal": [], "prove, live": [], "prove, stored": []}
    for _ in range(number):
        payloads = [origin.seal(PUBLICATION, ROOM, body) for _ in range(count)]
        times["bare MAC"].append(us(bare, count))
        times["seal"].append(us(lambda: origin.seal(PUBLICATION, ROOM, body), count))
        times["prove, live"].append(prove_all(proofs, payloads, 0))
        times["prove, stored"].append(prove_all(proofs, payloads, 1))
    return times


def main() -> None:
    """Run the benchmark."""
    flags = parser("Time to seal a publication and to prove it.")
    flags.add_argument("--bytes", type=int, default=128, help="size of the object")
    flags.add_argument("--count", type=int, default=20_000, help="publications a round")
    flags.add_argument("--rounds", type=int, default=25, help="rounds of which the best counts")
    arguments = flags.parse_args()
    count, number = (2000, 5) if arguments.quick else (arguments.count, arguments.rounds)
    result = Result(f"seal: a publication of {arguments.bytes} bytes", ["", "best µs", "median µs", "worst µs"])
    times = rounds(count, number, arguments.bytes)
    for name, values in times.items():
        result.rows.append([name, min(values), statistics.median(values), max(values)])
    both = min(times["seal"]) + max(min(times["prove, live"]), min(times["prove, stored"]))
    result.rows.append(["both ends", both, "", ""])
    result.claims.append(Claim("both ends µs", both, at_most=BOTH_US_MAX))
    result.settings = {"bytes": arguments.bytes, "count": count, "rounds": number}
    publish(result, arguments.json)


if __name__ == "__main__":
    main()

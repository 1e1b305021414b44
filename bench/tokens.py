"""What it costs to verify a token, beside a bare HMAC and JSON; and a million bad tokens, of which none is accepted.

Each check is timed alone, in processor time of its thread: another process on the machine is not its cost. Kinds of
keys take turns. The bad tokens are expired, cut, changed, re-signed, unsigned, signed by the public key, and more
(`tests/support/token_forgery.py`), each drawn by a seed; the time of their checks includes no making.

    scripts/bench tokens [--count 20000] [--forged 1000000] [--seed 14]
"""

import base64
import hmac
import json
import random
import time
from collections import Counter
from collections.abc import Callable

from rich.progress import Progress

from report import Claim, Result, parser, percentile, publish
from ringway.auth.config import SubscriptionTokenConfig, TokenConfig
from ringway.auth.verifier import TokenVerifier, make_verifier
from ringway.errors import TokenError
from support.key_pairs import EC_KEY, ED_KEY, RSA_KEY, public_pem, sign
from support.token_forgery import Forger
from support.tokens import NOW, SECRET, make_token

P99_US_MAX = 100.0
CLAIMS = {"sub": "42", "exp": NOW + 3600, "iat": NOW - 60, "jti": "a-token", "info": {"name": "Zoe", "role": "host"}}
TURN = 500
"""Checks of one kind before the next kind has its turn."""


def bare(token: str) -> object:
    """What any check must do: decode, compute the MAC, compare, read the claims."""
    head, claims, signature = token.split(".")
    mac = hmac.digest(SECRET, f"{head}.{claims}".encode(), "sha256")
    if not hmac.compare_digest(base64.urlsafe_b64decode(signature + "="), mac):
        raise ValueError(token)
    json.loads(base64.urlsafe_b64decode(head + "=" * (-len(head) % 4)))
    return json.loads(base64.urlsafe_b64decode(claims + "=" * (-len(claims) % 4)))


def verifier() -> TokenVerifier:
    """A verifier with a key of each kind."""
    config = TokenConfig(
        hmac_secret_key=SECRET.decode(),
        rsa_public_key=public_pem(RSA_KEY),
        ecdsa_public_key=public_pem(EC_KEY),
        eddsa_public_key=public_pem(ED_KEY),
    )
    made = make_verifier(config, SubscriptionTokenConfig(), random.Random(1))
    assert made is not None
    return made


def timed(check: Callable[[str], object], token: str, count: int) -> list[float]:
    """Return the processor times of `count` checks, in µs."""
    times = []
    for _ in range(count):
        began = time.thread_time_ns()
        check(token)
        times.append((time.thread_time_ns() - began) / 1000)
    return times


def costs(count: int) -> dict[str, list[float]]:
    """Return the sorted times of `count` checks of each kind."""
    tokens = verifier()

    def verify(token: str) -> object:
        return tokens.verify_connection(token, NOW)

    kinds: dict[str, tuple[Callable[[str], object], str]] = {
        "bare HMAC and JSON": (bare, make_token(CLAIMS)),
        "HS256": (verify, make_token(CLAIMS)),
        "HS512": (verify, make_token(CLAIMS, alg="HS512")),
        "RS256": (verify, sign(CLAIMS, RSA_KEY, "RS256")),
        "ES256": (verify, sign(CLAIMS, EC_KEY, "ES256")),
        "EdDSA": (verify, sign(CLAIMS, ED_KEY, "EdDSA")),
    }
    times: dict[str, list[float]] = {name: [] for name in kinds}
    for _ in range(max(1, count // TURN)):
        for name, (check, token) in kinds.items():
            times[name] += timed(check, token, TURN)
    return {name: sorted(values) for name, values in times.items()}


def forge(count: int, seed: int) -> tuple[Counter[str], int, list[float]]:
    """Have `count` bad tokens checked; return how many of each kind, how many were accepted, and the sorted times."""
    tokens = verifier()
    forger = Forger(random.Random(seed), public_pem(RSA_KEY))
    kinds: Counter[str] = Counter()
    accepted, times = 0, []
    with Progress(transient=True) as progress:
        bar = progress.add_task("bad tokens", total=count)
        for number in range(count):
            kind, token = forger.make_next()
            kinds[kind] += 1
            began = time.thread_time_ns()
            try:
                tokens.verify_connection(token, NOW)
                accepted += 1
            except TokenError:
                pass
            times.append((time.thread_time_ns() - began) / 1000)
            if number % 10_000 == 0:
                progress.update(bar, completed=number)
    return kinds, accepted, sorted(times)


def main() -> None:
    """Run the benchmark."""
    flags = parser("Time to verify a token, and bad tokens that must be refused.")
    flags.add_argument("--count", type=int, default=20_000, help="checks of each kind")
    flags.add_argument("--forged", type=int, default=1_000_000, help="bad tokens")
    flags.add_argument("--seed", type=int, default=14, help="seed of the bad tokens")
    arguments = flags.parse_args()
    count, forged = (2000, 20_000) if arguments.quick else (arguments.count, arguments.forged)
    result = Result("tokens: one check", ["", "best µs", "median µs", "p99 µs", "times the bare one"])
    times = costs(count)
    reference = percentile(times["bare HMAC and JSON"], 0.5)
    kinds, accepted, refused = forge(forged, arguments.seed)
    times[f"{forged:,} bad tokens"] = refused
    for name, values in times.items():
        median = percentile(values, 0.5)
        result.rows.append([name, values[0], median, percentile(values, 0.99), median / reference])
    result.claims = [
        Claim("a check of HS256, p99 µs", percentile(times["HS256"], 0.99), at_most=P99_US_MAX),
        Claim(f"accepted of {forged:,} bad tokens", accepted, at_most=0),
    ]
    result.settings = {"count": count, "forged": forged, "seed": arguments.seed, "kinds": dict(sorted(kinds.items()))}
    publish(result, arguments.json)


if __name__ == "__main__":
    main()

"""Owners of keys, by version: the table by which keys belong to nodes, as nodes learn it (PROTOCOL.md P-9.10).

A version is a hash of what it stands for. So a node can check what it was told, two leaders give the same owners the
same version, and a node that knows an older version needs only the difference.
"""

from hashlib import blake2b

import msgspec

from ringway.errors import ProtocolError
from ringway.protocol.close import BAD_REQUEST
from ringway.types import NodeName


class Owners(msgspec.Struct, frozen=True, kw_only=True):
    """The owners of keys, for hash policies: a table of nodes and weights, and the weights before."""

    table: str  # "rendezvous", "ring" or "maglev" (core.hashing)
    weights: dict[NodeName, float]
    before: dict[NodeName, float] | None = None  # only keys whose owner has changed since these weights count


class OwnersRequest(msgspec.Struct, frozen=True, kw_only=True, tag="owners"):
    """The question of a node for the owners of `version`; it knows those of the version `have`, if that is given."""

    version: str
    have: str = ""


class OwnersAnswer(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """The owners of `version`, whole or as a difference; empty if the leader does not know that version (any more)."""

    version: str = ""
    owners: Owners | None = None
    since: str = ""  # without `owners`: the version that differs by `changed`
    changed: dict[NodeName, float] = msgspec.field(default_factory=dict)  # 0 for a node that owns nothing any more


def version_of(owners: Owners) -> str:
    """Return the version of `owners`: 16 hexadecimal digits."""
    parts = [owners.table, _sorted(owners.weights), None if owners.before is None else _sorted(owners.before)]
    return blake2b(msgspec.json.encode(parts), digest_size=8).hexdigest()


def _sorted(weights: dict[NodeName, float]) -> list[tuple[NodeName, float]]:
    return sorted((name, float(weight)) for name, weight in weights.items() if weight > 0)


def answer_with(owners: Owners, version: str, known: Owners | None, have: str) -> OwnersAnswer:
    """Return the answer that tells `owners`, to a node that knows `known`, of the version `have`."""
    if known is None or known.table != owners.table or known.before != owners.before:
        return OwnersAnswer(version=version, owners=owners)
    changed = {name: weight for name, weight in owners.weights.items() if known.weights.get(name) != weight}
    changed.update({name: 0.0 for name in known.weights if name not in owners.weights})
    return OwnersAnswer(version=version, since=have, changed=changed)


def read_owners(answer: OwnersAnswer, known: Owners | None) -> Owners:
    """Return the owners that `answer` tells a node that knows `known`.

    Raise `ProtocolError` if they are not those of the version that the answer names.
    """
    owners = answer.owners
    if owners is None and known is not None:
        weights = {name: weight for name, weight in {**known.weights, **answer.changed}.items() if weight > 0}
        owners = msgspec.structs.replace(known, weights=weights)
    if owners is None or version_of(owners) != answer.version:
        problem = f"the owners that came are not those of version {answer.version!r}; ask for all of them"
        raise ProtocolError(BAD_REQUEST, problem)
    return owners

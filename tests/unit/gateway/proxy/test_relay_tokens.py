"""Relays whose tokens end or are revoked."""

from typing import cast

from ringway.core.revocations import Revocations
from ringway.gateway.proxy.relay import Relay
from ringway.gateway.proxy.relay_tokens import RelayTokens
from ringway.protocol.claims import ConnectionClaims
from ringway.protocol.revocation import Revocation

END = 2000.0


class FakeRelay:
    """A relay that notes how it was cut."""

    def __init__(self) -> None:
        self.cuts: list[tuple[int, str]] = []

    def cut(self, code: int, reason: str, cause: str) -> None:
        assert cause == "token"
        self.cuts.append((code, reason))


class World:
    def __init__(self) -> None:
        self.now = 1000.0
        self.revocations = Revocations()
        self.tokens = RelayTokens(self.revocations, lambda: self.now)

    def open(self, claims: ConnectionClaims, *, ends: bool = False) -> FakeRelay:
        relay = FakeRelay()
        self.tokens.watch(cast(Relay, relay), claims, ends=ends)
        return relay

    def revoke(self, revocation: Revocation) -> None:
        self.tokens.on_learned(self.revocations.learn([revocation], self.now).fresh)
        self.tokens.tick()


def test_a_relay_is_closed_when_its_token_is_revoked_and_no_other_is() -> None:
    world = World()
    relay, other = world.open(ConnectionClaims(sub="carol", jti="t1")), world.open(ConnectionClaims(sub="carol"))
    world.revoke(Revocation(END, token_id="t1"))
    assert (relay.cuts, other.cuts) == ([(3500, "token revoked")], [])
    world.revoke(Revocation(END, user="carol", issued_before=1001.0))
    assert other.cuts == [(3500, "token revoked")]


def test_a_token_without_a_time_counts_from_when_it_was_shown() -> None:
    world = World()
    relay = world.open(ConnectionClaims(sub="carol"))
    world.revoke(Revocation(END, user="carol", issued_before=999.0))
    assert relay.cuts == []


def test_a_token_that_was_revoked_while_the_server_was_asked_closes_its_relay() -> None:
    world = World()
    world.revoke(Revocation(END, token_id="t1"))
    relay = world.open(ConnectionClaims(sub="carol", jti="t1"))
    world.tokens.tick()
    assert relay.cuts == [(3500, "token revoked")]


def test_a_relay_ends_with_its_token_where_its_route_says_so() -> None:
    world = World()
    ending = world.open(ConnectionClaims(sub="carol", exp=1010.0), ends=True)
    staying = world.open(ConnectionClaims(sub="carol", exp=1010.0))
    endless = world.open(ConnectionClaims(sub="carol"), ends=True)
    world.tokens.tick()
    assert ending.cuts == []
    world.now = 1010.0
    world.tokens.tick()
    assert (ending.cuts, staying.cuts, endless.cuts) == ([(3005, "connection expired")], [], [])


def test_a_relay_that_is_over_is_forgotten() -> None:
    world = World()
    relay = world.open(ConnectionClaims(sub="carol", jti="t1", exp=1010.0), ends=True)
    world.tokens.forget(cast(Relay, relay))
    world.tokens.forget(cast(Relay, relay))
    world.now = 1010.0
    world.revoke(Revocation(END, token_id="t1"))
    assert (len(world.tokens), relay.cuts) == (0, [])

"""Trust in nodes: a backend that was taken out for failed handshakes comes back without a knock."""

import random

from ringway.core.group import Groups
from ringway.gateway.config.gateway import GatewayConfig
from ringway.gateway.proxy.node_trust import NodeTrust
from ringway.gateway.stats import GatewayStats
from ringway.protocol.keyring import Keyring
from unit.gateway.backends.kit import A, B, Cluster, backend, offers


class Unreachable:
    """Addresses that nobody may ask for: backends are not knocked at."""

    def __getattr__(self, name: str) -> object:
        raise AssertionError(f"{name} was asked for")


def taken_out(cluster: Cluster) -> tuple[NodeTrust, Groups]:
    """Return the trust of a gateway where b has failed, and its view."""
    gateway, config = cluster.gateways[0], GatewayConfig()
    trust = NodeTrust(
        config,
        gateway.directory,
        Keyring(b"s" * 32),
        Unreachable(),
        GatewayStats(),
        random.Random(1),
        lambda: cluster.now,
    )
    gateway.holding.book.update("test", offers(backend(), backend(B)))
    cluster.report()
    view = gateway.directory.groups
    for _ in range(config.outlier_failures):
        trust.failures.judge(view.nodes[A], [(view.nodes[B], "refused")])
    assert view.nodes[B].ejected
    return trust, view


async def test_a_backend_that_was_taken_out_is_back_after_its_time():
    cluster = Cluster()
    trust, view = taken_out(cluster)
    cluster.now += GatewayConfig().outlier_eject_s + 1
    trust.tick()
    assert (view.nodes[B].ejected, view.nodes[B].doubt) == ("", "")
    await cluster.stop()


async def test_a_backend_whose_check_fails_meanwhile_stays_in_doubt():
    cluster = Cluster()
    trust, view = taken_out(cluster)
    view.doubt(B, "fails its check: no answer")
    cluster.now += GatewayConfig().outlier_eject_s + 1
    trust.tick()
    assert (view.nodes[B].ejected, view.nodes[B].doubt) == ("", "fails its check: no answer")
    await cluster.stop()

"""The groups of a gateway: each with the policy that its routes name, or with the policy of the gateway's settings."""

from ringway.app.config import Config
from ringway.app.engine import read_hash_secret
from ringway.app.score_function import load_score_function
from ringway.core.group import Groups
from ringway.core.route_spec import read_routes, setting_of_group
from ringway.core.steering import Steering
from ringway.types import Issuer


def make_groups(config: Config, issuer: Issuer) -> Groups:
    """Return the groups of a gateway with the incarnation `issuer`; raise `ConfigError` if a policy cannot be made."""
    routes = read_routes(config.gateway.routes)
    secret = read_hash_secret(config.engine)

    def steer(name: str) -> Steering:
        policy = setting_of_group(routes, name, "policy") or config.gateway.policy
        return Steering(policy, secret, load_score_function, name)

    return Groups(issuer, steer, kept=[route.group for route in routes])

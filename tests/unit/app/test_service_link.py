"""Variables of Kubernetes's Services are no settings, however they are named."""

import pytest

from ringway.app.config import load_config
from ringway.app.service_link import is_service_link
from ringway.errors import ConfigError


def links(service: str, port: int = 8000) -> dict[str, str]:
    """What Kubernetes puts into every pod for a Service."""
    name, host = service.upper().replace("-", "_"), "10.96.1.2"
    return {
        f"{name}_SERVICE_HOST": host,
        f"{name}_SERVICE_PORT": str(port),
        f"{name}_SERVICE_PORT_HTTP": str(port),
        f"{name}_PORT": f"tcp://{host}:{port}",
        f"{name}_PORT_{port}_TCP": f"tcp://{host}:{port}",
        f"{name}_PORT_{port}_TCP_PROTO": "tcp",
        f"{name}_PORT_{port}_TCP_PORT": str(port),
        f"{name}_PORT_{port}_TCP_ADDR": host,
        f"{name}_PORT_53_UDP": f"udp://{host}:53",
    }


@pytest.mark.parametrize(
    "service",
    ["ringway", "ringway-gateway", "ringway-node", "ringway-admin", "ringway-up-nats", "ringway-engine", "ringway-log"],
)
def test_whatever_the_service_is_called_the_settings_are_the_defaults(service):
    environ = links(service)
    loaded = load_config(environ=environ)
    assert loaded.config == load_config(environ={}).config
    assert list(loaded.service_links) == sorted(environ)


def test_an_ipv6_service_is_known_as_well():
    assert is_service_link("RINGWAY_GATEWAY_PORT", "tcp://[fd00::2]:8000")


def test_a_port_that_somebody_gave_counts():
    loaded = load_config(environ={"RINGWAY_GATEWAY_PORT": "9000"})
    assert (loaded.config.gateway.port, list(loaded.service_links)) == (9000, [])


@pytest.mark.parametrize("value", ["tcp://", "http://10.0.0.1:80", "8000/tcp", "tcp:8000"])
def test_what_only_resembles_one_is_a_wrong_value(value):
    with pytest.raises(ConfigError, match=r"gateway\.port"):
        load_config(environ={"RINGWAY_GATEWAY_PORT": value})

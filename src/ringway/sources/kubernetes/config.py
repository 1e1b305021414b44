"""Settings of the Kubernetes API, which gateways read EndpointSlices from."""

from typing import Annotated

import msgspec

from ringway.errors import ConfigError
from ringway.protocol.address import url_problems

API_PORTS = {"http": 80, "https": 443}


class KubernetesConfig(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The settings for backends from Kubernetes (docs/howto/kubernetes-backends.md)."""

    api_url: Annotated[
        str,
        msgspec.Meta(
            description="The Kubernetes API, as https://host:port. Empty: the API of the cluster that this pod runs "
            "in, with the pod's service account.",
        ),
    ] = ""
    token_file: Annotated[
        str,
        msgspec.Meta(
            description="A file with the bearer token for the API, read again before each request. Empty: the service "
            "account's; with api_url, none.",
        ),
    ] = ""
    ca_file: Annotated[
        str,
        msgspec.Meta(
            description="A file with the authorities that certify the API, read again before each connection. Empty: "
            "the service account's; with api_url, those that the system trusts.",
        ),
    ] = ""
    timeout_s: Annotated[
        float,
        msgspec.Meta(
            description="The deadline of a list, and of opening a watch.",
            ge=0.1,
            le=300,
            extra={"unit": "s"},
        ),
    ] = 10.0
    watch_s: Annotated[
        int,
        msgspec.Meta(
            description="The length of one watch; the next goes on where it ended. A dead connection to the API is "
            "noticed after this time and timeout_s.",
            ge=1,
            le=3600,
            extra={"unit": "s"},
        ),
    ] = 60
    settle_s: Annotated[
        float,
        msgspec.Meta(
            description="Changes within this time are carried out as one: a rollout, or an endpoint that goes from "
            "slice to slice, changes several slices one after the other.",
            ge=0,
            le=10,
            extra={"unit": "s"},
        ),
    ] = 0.2

    def __post_init__(self) -> None:
        """Raise `ConfigError` if the URL is not valid."""
        problems = url_problems("api_url", self.api_url, API_PORTS, "write https://host:port")
        if problems:
            raise ConfigError(*problems)

"""Sample in Prometheus's text format: `http://{host}:9100/metrics,metric=node_load1`.

A page has thousands of lines, and parsing all of them would block the loop: only the lines of the wanted metric are
parsed.
"""

import ssl

from prometheus_client.parser import text_string_to_metric_families

from ringway.collect.collector import CollectFailed, Facts, check_address, fill
from ringway.collect.http import PORTS, fetch
from ringway.errors import ConfigError


class PrometheusCollector:
    """Gets the page at `url` and returns the sample that `selector` names: `name` or `name{label="value"}`."""

    def __init__(self, url: str, selector: str, bearer: str) -> None:
        self._url = check_address(url, PORTS)
        self._name, self._labels = read_selector(selector)
        self._headers = {"Accept": "text/plain", **({"Authorization": f"Bearer {bearer}"} if bearer else {})}
        self._tls = ssl.create_default_context() if url.startswith("https:") else None

    async def collect(self, node: Facts) -> float:
        """Return the value of the sample."""
        body = await fetch(fill(self._url, node), self._headers, self._tls)
        return sample_in(body.decode("utf-8", "replace"), self._name, self._labels)

    async def close(self) -> None:
        """Do nothing: no connection is open."""


def read_selector(selector: str) -> tuple[str, dict[str, str]]:
    """Return the name and labels of `selector`; raise `ConfigError` if it is not a selector."""
    try:
        samples = [sample for family in text_string_to_metric_families(f"{selector} 0\n") for sample in family.samples]
    except ValueError:
        samples = []
    if len(samples) != 1 or samples[0].timestamp is not None or not samples[0].name:
        raise ConfigError(f'the metric {selector!r} is no selector; write name or name{{label="value"}}')
    return samples[0].name, dict(samples[0].labels)


def sample_in(page: str, name: str, labels: dict[str, str]) -> float:
    """Return the value of the only sample of `name` on `page` with all `labels`; raise `CollectFailed`."""
    lines = [line for line in page.splitlines() if line.startswith(name) and line[len(name) : len(name) + 1] in "{ \t"]
    try:
        found = [
            sample.value
            for family in text_string_to_metric_families("\n".join([*lines, ""]))
            for sample in family.samples
            if sample.name == name and labels.items() <= sample.labels.items()
        ]
    except ValueError as error:
        raise CollectFailed(f"the page is not in Prometheus's text format: {error}") from None
    if len(found) != 1:
        raise CollectFailed(f"the page has {len(found)} samples of {name} with these labels; name one with its labels")
    return float(found[0])

"""Variables that Kubernetes puts into every pod for each Service: some look like our settings, but are not.

A Service called `ringway-gateway` makes `RINGWAY_GATEWAY_PORT=tcp://10.96.1.2:8000` and a dozen more (Kubernetes,
"Service", environment variables; the form is that of Docker's links). They are recognised by their shape.
`enableServiceLinks: false` in the spec of the pod leaves them out.
"""

import re

_NAME = re.compile(r"_SERVICE_HOST|_SERVICE_PORT(_[A-Z0-9_]+)?|_PORT_\d+_(TCP|UDP|SCTP)(_(PROTO|PORT|ADDR))?")
_VALUE = re.compile(r"(tcp|udp|sctp)://\S+:\d+")


def is_service_link(name: str, value: str) -> bool:
    """Return true if the environment variable `name` describes a Service of Kubernetes."""
    end = _NAME.search(name)
    if end is not None and end.end() == len(name):
        return True
    return name.endswith("_PORT") and _VALUE.fullmatch(value) is not None

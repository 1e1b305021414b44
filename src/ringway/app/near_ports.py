"""Ports that `ringway up` chooses for its children: free ones, from a first port on."""

from ringway.net.listening import is_free

NEAR = 200


class NearPorts:
    """The free ports from `first` on; a child is told its port by the variable `variable` of its environment."""

    def __init__(self, host: str, first: int, variable: str) -> None:
        self._host = host
        self._next = first
        self._variable = variable

    def take(self) -> int:
        """Return the next free port; 0 if no near port is free, so that the child chooses a free port."""
        near = range(self._next, min(self._next + NEAR, 65536))
        port = next((candidate for candidate in near if is_free(self._host, candidate)), 0)
        self._next = port + 1 if port else self._next
        return port

    def make_way(self, environ: dict[str, str]) -> bool:
        """Give the child with `environ` a new port if its port is taken; return true if so.

        Another process can take the port between the check for a free port and the start of the child.
        """
        port = int(environ.get(self._variable) or 0)
        if not port or is_free(self._host, port):
            return False
        environ[self._variable] = str(self.take())
        return True

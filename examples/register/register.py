"""Registers a WebSocket server at a Ringway gateway: keeps the lease, drains on SIGTERM. Standard library only.

    AT=http://gateway:7400 TOKEN=... python register.py chat-1 ws://10.0.0.5:9000

Put `Registration` into the process of your server, or run this beside it.
"""

import json
import os
import signal
import sys
import threading
import time
import urllib.error
import urllib.request


class Registration:
    """Keeps the server `name` registered while `keep` runs."""

    def __init__(self, at: str, token: str, name: str, url: str, ttl_s: float = 10.0) -> None:
        self.path, self.token = f"{at}/v1/backends/{name}", token
        self.life = {"incarnation": f"{os.getpid()}-{time.time_ns()}"}  # different in each life of the server
        self.settings = {"url": url, "ttl_s": ttl_s, **self.life}
        self.pause_s, self.left, self.stopped = ttl_s / 3, None, threading.Event()

    def _call(self, method: str, path: str, body: dict | None = None) -> dict:
        headers = {"Authorization": f"Bearer {self.token}", "Content-Type": "application/json"}
        request = urllib.request.Request(self.path + path, json.dumps(body).encode(), headers, method=method)
        with urllib.request.urlopen(request, timeout=3) as answer:
            return json.loads(answer.read() or b"{}")

    def keep(self) -> None:
        """Register and renew until `leave`. What the gateway does not accept is printed, and tried again."""
        known = False
        while not self.stopped.wait(self.pause_s if known else 0.5):
            try:
                said = self._call("POST", "/renew", self.life) if known else self._call("PUT", "", self.settings)
                known, self.left = True, said.get("left")
            except urllib.error.HTTPError as error:  # 404: the lease is over, or the gateway is new
                known = known and error.code != 404
                print("ringway:", json.loads(error.read())["error"], file=sys.stderr)
            except OSError as error:
                print("ringway:", error, file=sys.stderr)

    def leave(self, within_s: float) -> None:
        """Lead the clients away, for at most `within_s`, and end the registration."""
        self._call("POST", "/drain", {"within_s": within_s, "force": True})
        self.pause_s, self.left, ends_at = 0.5, None, time.monotonic() + within_s
        while self.left != 0 and time.monotonic() < ends_at:
            time.sleep(0.1)
        self.stopped.set()
        self._call("DELETE", f"?incarnation={self.life['incarnation']}")


if __name__ == "__main__":
    mine = Registration(os.environ["AT"], os.environ.get("TOKEN", ""), *sys.argv[1:3])
    signal.signal(signal.SIGTERM, lambda *_: threading.Thread(target=mine.leave, args=(20,)).start())
    mine.keep()

"""A backend with hooks, of the standard library alone: it knows its users by a cookie, and keeps a chat polite.

    python app.py 9000
    ringway up --config ringway.toml

with this file of settings:

    [node]
    connect_hook = "app"

    [node.hooks.app]
    endpoint = "http://127.0.0.1:9000/"
    http_headers = ["Cookie"]

    [node.namespaces.chat]
    subscribe_hook = "app"
    publish_hook = "app"
"""

import json
import sys
import time
from http.cookies import SimpleCookie
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

SESSIONS = {"s1": "carol", "s2": "dave"}
ROOMS = {"chat:lobby": {"carol", "dave"}, "chat:board": {"carol"}}


def connect(cookies):
    """Say who has the session of the cookie."""
    user = SESSIONS.get(cookies["session"].value) if "session" in cookies else None
    if user is None:
        return {"disconnect": {"code": 4501, "reason": "log in first"}}
    return {"result": {"user": user, "info": {"name": user.title()}, "expire_at": int(time.time()) + 3600}}


def subscribe(request):
    """Say who may read a room."""
    if request["user"] in ROOMS.get(request["channel"], ()):
        return {}
    return {"error": {"code": 403, "message": "this room is not yours"}}


def publish(request):
    """Say who may write in a room, and what is published."""
    if request["user"] not in ROOMS.get(request["channel"], ()):
        return {"error": {"code": 403, "message": "this room is not yours"}}
    return {"result": {"data": {"text": str(request["data"].get("text", ""))[:200], "at": int(time.time())}}}


class Handler(BaseHTTPRequestHandler):
    """Answers the node."""

    protocol_version = "HTTP/1.1"  # so that the node uses its connection again

    def do_POST(self):
        """Answer one request."""
        request = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        event = self.headers["Ringway-Event"]
        if event == "connect":
            answer = connect(SimpleCookie(self.headers.get("Cookie", "")))
        else:
            answer = {"subscribe": subscribe, "publish": publish}[event](request)
        body = json.dumps(answer).encode()
        self.send_response(200)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *args):
        """Log nothing."""


if __name__ == "__main__":
    ThreadingHTTPServer(("127.0.0.1", int(sys.argv[1])), Handler).serve_forever()

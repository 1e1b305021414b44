"""The channel protocol over scripted nodes, as far as clients need it: connect, subscribe, publish."""

import json
from typing import Any

from integration.moves.cluster import Cluster
from integration.moves.node import Session


class Channels:
    """Answers the commands of all sessions of `cluster`. `silent` publishes are not answered until `answer_all`."""

    def __init__(self, cluster: Cluster) -> None:
        self.commands: list[dict[str, Any]] = []
        self.silent = False
        self._owed: list[tuple[Session, dict[str, Any]]] = []
        self._members: dict[str, list[Session]] = {}
        cluster.on_message = self._take

    def of(self, method: str) -> list[Any]:
        """The requests of `method`, in order."""
        return [command[method] for command in self.commands if method in command]

    def publish(self, channel: str, data: object) -> None:
        """Send a publication to the subscribers."""
        for session in self._members.get(channel, ()):
            session.send(json.dumps({"push": {"channel": channel, "pub": {"data": data}}}))

    def answer_all(self) -> None:
        """Answer what is owed."""
        owed, self._owed = self._owed, []
        for session, reply in owed:
            session.send(json.dumps(reply))

    def _take(self, session: Session, message: str | bytes) -> None:
        assert isinstance(message, str)
        for line in message.split("\n"):
            command = json.loads(line)
            if command:
                self.commands.append(command)
                self._carry_out(session, command)

    def _carry_out(self, session: Session, command: dict[str, Any]) -> None:
        reply: dict[str, Any] = {"id": command["id"]}
        if "connect" in command:
            node = session.node.name if session.node else ""
            reply["connect"] = {"client": f"c{session.number}", "node": node, "ping": 25, "pong": True}
        elif "subscribe" in command:
            self._members.setdefault(command["subscribe"]["channel"], []).append(session)
            reply["subscribe"] = {}
        elif "publish" in command:
            self.publish(command["publish"]["channel"], command["publish"]["data"])
            reply["publish"] = {}
        self._owed.append((session, reply))
        if "publish" not in command or not self.silent:
            self.answer_all()

"""The faults that `mutants` puts into the code: where, what, and which scenario must find them how."""

from dataclasses import dataclass, field


@dataclass(frozen=True, slots=True)
class Edit:
    """A replacement in a file below `src/ringway`; `old` stands there once."""

    path: str
    old: str
    new: str


@dataclass(frozen=True, slots=True)
class Mutant:
    """A fault: `finds` are words of which one must be in the verdict; `size` changes the scenario's small size."""

    name: str
    fault: str
    scenario: str
    finds: tuple[str, ...]
    edits: tuple[Edit, ...]
    size: dict[str, str] = field(default_factory=dict)


LOST, DOUBLED, REORDERED, UNEXPECTED = ("lost silently",), ("doubled",), ("reordered",), ("unexpected",)
UNANSWERED = ("without an answer", "was not answered")

BUSY = {"rate": "800", "channels": "4", "clients": "30", "kinds": "follow"}
"""Moves while much is published."""

FROM_FAR = BUSY | {"publishers": "far,far,far,far"}
FROM_PROXIED = BUSY | {"publishers": "proxy,proxy,proxy,proxy", "clients": "6"}

MUTANTS = (
    # fan-out and publishing
    Mutant(
        "turn-reversed",
        "publications of one loop turn leave in the wrong order",
        "calm",
        REORDERED,
        (
            Edit(
                "protocol/codec.py",
                '(PUSH_TAIL + b"\\n" + head).join(publications) + PUSH_TAIL',
                '(PUSH_TAIL + b"\\n" + head).join(publications[::-1]) + PUSH_TAIL',
            ),
        ),
        {"channels": "2", "publishers": "sdk", "rate": "1000"},
    ),
    Mutant(
        "turn-cut",
        "of many publications in one loop turn only the first leaves",
        "calm",
        LOST,
        (
            Edit(
                "protocol/codec.py",
                '(PUSH_TAIL + b"\\n" + head).join(publications) + PUSH_TAIL',
                "publications[0] + PUSH_TAIL",
            ),
        ),
        {"channels": "2"},
    ),
    Mutant(
        "turn-kept",
        "what was sent in one loop turn is sent again in the next",
        "calm",
        DOUBLED,
        (Edit("node/channels/fanout.py", "turn, self._turn = self._turn, {}", "turn = dict(self._turn)"),),
        {"rate": "50"},
    ),
    Mutant(
        "ack-before-engine",
        "a publish is answered before the engine has it",
        "nats_away",
        LOST,
        (
            Edit(
                "node/commands/publish.py",
                "            await context.channels.publish(channel, body, key, is_kept=kept)\n",
                "            asyncio.ensure_future(context.channels.publish(channel, body, key, is_kept=kept))\n",
            ),
        ),
    ),
    # what a node knows of a channel
    Mutant(
        "no-gap-check",
        "a publication is delivered although the one before it was not, and nothing is asked after an outage",
        "nats_away",
        LOST,
        (
            Edit(
                "core/stream.py",
                "        if previous <= self.position:\n            self.follow(offset)\n",
                "        if previous >= 0:\n            self.follow(offset)\n",
            ),
            Edit(
                "node/channels/streams.py",
                "        self._catch_up.check_all(first=self._hub.__contains__)\n",
                "        return\n",
            ),
        ),
    ),
    Mutant(
        "no-proof-asked",
        "what history cannot prove complete is taken for complete, whatever its epoch",
        "nats_away_memory",
        LOST,
        (Edit("core/stream.py", "if epoch != self.epoch or not complete:", "if self is None:"),),
    ),
    Mutant(
        "recovered-whatever",
        "a recovery that cannot be proved complete is called complete",
        "nats_away_memory",
        LOST + UNEXPECTED,
        (
            Edit(
                "node/commands/subscribe.py",
                "request.epoch, request.offset, connection.charge_answer)\n",
                "request.epoch, request.offset, connection.charge_answer) or []\n",
            ),
        ),
    ),
    Mutant(
        "recovery-cut-short",
        "a recovery is cut to its bound, and still called complete",
        "kill_node",
        LOST,
        (
            Edit(
                "node/channels/recovery.py",
                "            return None\n        return found\n",
                "            return found[-self._limit :]\n        return found\n",
            ),
        ),
        {"environ": "RINGWAY_NODE_RECOVERY_PUBLICATIONS_MAX=3", "channels": "4"},
    ),
    Mutant(
        "recovery-one-too-many",
        "a recovery begins with the publication that the client has already",
        "kill_node",
        DOUBLED,
        (
            Edit(
                "core/replay_buffer.py",
                "            if entry.offset > offset:\n",
                "            if entry.offset >= offset:\n",
            ),
        ),
    ),
    Mutant(
        "no-dedup-of-held",
        "what was held back is delivered although history has told it already",
        "nats_away",
        DOUBLED + REORDERED,
        (
            Edit(
                "core/stream.py",
                "                self._seen = max(self._seen, at)\n",
                "                offered.append((at, payload))\n",
            ),
        ),
        {"faults": "4", "seconds": "1", "rate": "800"},
    ),
    # hand-over: the donor
    Mutant(
        "cut-before-prepare",
        "the positions of a session are those before the target was asked",
        "handover_cost",
        DOUBLED,
        (
            Edit(
                "node/sessions/donor.py",
                "        why = await self._ask(donor, prepare)\n",
                "        donor.held = tuple(self._held(connection, each) for each in connection.channels)\n"
                "        why = await self._ask(donor, prepare)\n",
            ),
            Edit(
                "node/sessions/donor.py",
                "        donor.held = tuple(self._held(connection, channel) for channel in connection.channels)\n",
                "",
            ),
        ),
        BUSY,
    ),
    Mutant(
        "commit-before-close-answer",
        "the donor commits before the client has answered the close frame",
        "handover_cost",
        UNANSWERED,
        (
            Edit(
                "core/handover.py",
                "(DonorState.CLOSING, DonorEvent.SETTLED): (DonorState.SETTLED, DonorAction.NOTHING)",
                "(DonorState.CLOSING, DonorEvent.SETTLED): (DonorState.COMMITTING, DonorAction.COMMIT)",
            ),
        ),
        FROM_FAR,
    ),
    Mutant(
        "commands-dropped",
        "what a client sent and the donor did not carry out is forgotten",
        "handover_cost",
        UNANSWERED,
        (Edit("node/sessions/donor.py", "        self.commands.append(message)\n", ""),),
        FROM_FAR,
    ),
    Mutant(
        "replies-dropped",
        "answers that the donor could not send any more are forgotten",
        "handover_cost",
        UNANSWERED,
        (Edit("node/sessions/donor.py", "        self.replies.append(message)\n", "        return\n"),),
        FROM_FAR,
    ),
    # hand-over: the target
    Mutant(
        "tail-not-replayed",
        "what came between the donor's cut and the client's arrival is not sent",
        "handover_cost",
        LOST,
        (Edit("node/sessions/target.py", "            connection.reply(missed)\n", ""),),
        BUSY,
    ),
    Mutant(
        "heard-ignored",
        "without history, everything since the target was asked is sent, whatever the donor has sent of it",
        "handover_cost",
        DOUBLED,
        (
            Edit(
                "node/sessions/target.py",
                "cut = Cut(held.epoch, held.offset, held.heard)",
                "cut = Cut(held.epoch, held.offset, {})",
            ),
        ),
        BUSY,
    ),
    Mutant(
        "joined-before-the-cut",
        "the target lets a session take part in its channels before it looks where the donor stopped",
        "handover_cost",
        DOUBLED + REORDERED,
        (
            Edit(
                "node/sessions/target.py",
                "                connection.reply(list(session.replies))\n",
                "                connection.reply(list(session.replies))\n"
                "                for held in session.held:\n"
                "                    where = Channel(held.channel)\n"
                "                    join(self._context, connection, where, watching=False, silently=True)\n"
                "                await asyncio.sleep(0.05)\n",
            ),
        ),
        BUSY,
    ),
    Mutant(
        "ticket-taken-twice",
        "a session goes on at whoever brings its ticket, also a second time: nothing fences the first off",
        "handover_cost",
        DOUBLED,
        (
            Edit(
                "member/admission.py",
                "            self._nonces.redeem(checked.nonce, now)\n",
                "            if check_nonce is None:\n                self._nonces.redeem(checked.nonce, now)\n",
            ),
            Edit(
                "core/handover.py",
                "    (TargetState.WAITING, TargetEvent.COMMIT): (TargetState.SERVED, TargetAction.SERVE),\n",
                "    (TargetState.WAITING, TargetEvent.COMMIT): (TargetState.SERVED, TargetAction.SERVE),\n"
                "    (TargetState.SERVED, TargetEvent.CLIENT): (TargetState.SERVED, TargetAction.SERVE),\n"
                "    (TargetState.SERVED, TargetEvent.EXPIRED): (TargetState.OVER, TargetAction.RELEASE),\n",
            ),
            Edit(
                "node/sessions/target.py",
                "        finally:\n            del self._expected[nonce]\n"
                "            self._publish_leaves(target)  # of all channels that the lost client had not joined yet\n"
                "            target.release()\n",
                "        finally:\n            pass\n",
            ),
            Edit("node/sessions/target.py", "            target.leases.pop(channel).release()\n", ""),
        ),
        BUSY | {"kinds": "twin"},
    ),
    Mutant(
        "no-fencing",
        "a node that was stopped past its lease goes on to serve whoever it served",
        "pause_node",
        ("clients that were closed",),
        (
            Edit(
                "member/fencing.py",
                "        if self._fence.beat(self._clock(), time.process_time(), queued_s(), reports):\n",
                "        if self._fence.beat(self._clock(), time.process_time(), queued_s(), reports) is None:\n",
            ),
        ),
    ),
    # the gateway
    Mutant(
        "held-bytes-dropped",
        "the gateway reads on while a session moves, and what it reads does not reach the next node",
        "handover_cost",
        UNANSWERED,
        (
            Edit(
                "gateway/proxy/migration.py",
                "                relay.client.stop_reading()\n",
                "                pass\n",
            ),
            Edit(
                "gateway/proxy/migration.py",
                "relay.join_node(answer.transport, self._held, answer.rest)",
                'relay.join_node(answer.transport, b"", answer.rest)',
            ),
        ),
        FROM_PROXIED,
    ),
    # the client
    Mutant(
        "held-messages-dropped",
        "what a program sends while its socket follows a move is forgotten",
        "handover_cost",
        UNANSWERED,
        (Edit("client/passage.py", "        self._held.append((opcode, payload))\n", ""),),
        BUSY | {"publishers": "socket,socket,socket,socket"},
    ),
)

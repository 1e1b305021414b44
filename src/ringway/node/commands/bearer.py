"""Bearers of tokens, and anonymous clients: what a node would allow them, and on what ground, without a connection.

Each answer is a decision of the code that a node asks for its clients (`core.permission`, `node.commands.admission`,
`node.config.namespace`). What depends on the moment is not known here: how many connections a user has, what a hook
answers, which tokens are revoked.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field, replace

import msgspec

from ringway.core.permission import (
    ALLOWED,
    Action,
    ChannelRules,
    Ground,
    ground_of,
    namespace_of,
    personal_channel,
)
from ringway.errors import CommandError, ProtocolError
from ringway.node.commands.admission import check_count, check_has_user, check_nameless, claimed_rights
from ringway.node.commands.channel_hooks import subscribe_hook_name
from ringway.node.commands.tokens import credentials_of, misuse_of
from ringway.node.config.namespace import DEFAULT, Namespace, Namespaces, will_watch_by
from ringway.node.config.node import NodeConfig
from ringway.protocol.channel import check_channel
from ringway.protocol.claims import ConnectionClaims, SubscriptionClaims
from ringway.protocol.close import INVALID_TOKEN
from ringway.protocol.errorcode import NOT_AVAILABLE
from ringway.types import Channel

YES, SUBSCRIBED, NO, BY_HOOK = "yes", "while subscribed", "no", "if its hook says so"

ANY = "*"
"""Stands for any name in the channels of a namespace."""


_WRONG_NAMES = (Ground.UNKNOWN_NAMESPACE, Ground.WRONG_NAME)


class RightsAnswer(msgspec.Struct, frozen=True, omit_defaults=True):
    """`YES`, `SUBSCRIBED`, `NO` or `BY_HOOK`, the ground, and of a refusal the code of the error or of the close."""

    allowed: str
    why: str
    code: int = 0


class ChannelAnswers(msgspec.Struct, frozen=True):
    """What the bearer may do in one channel. `joins`: it is told who joins and leaves."""

    channel: str
    namespace: str
    subscribe: RightsAnswer
    publish: RightsAnswer
    presence: RightsAnswer
    history: RightsAnswer
    joins: RightsAnswer


@dataclass(frozen=True)
class Bearer:
    """A client with the `claims` of a token that is good (None: without a token), before a node with these settings.

    `now` is Unix time.
    """

    config: NodeConfig
    claims: ConnectionClaims | SubscriptionClaims | None
    now: float
    namespaces: Namespaces = field(init=False)

    def __post_init__(self) -> None:
        """Raise `ConfigError` if the namespaces cannot be read."""
        spaces = Namespaces(self.config.namespaces, is_open=self.config.insecure)
        object.__setattr__(self, "namespaces", spaces)

    @property
    def user(self) -> str:
        """The user; empty: anonymous."""
        return self.claims.sub if self.claims is not None else ""

    def connect(self) -> RightsAnswer:
        """Return whether the client would be accepted; a subscription token opens no connection."""
        try:
            if self.claims is None and self.config.connect_hook:
                return RightsAnswer(BY_HOOK, f"connect_hook is {self.config.connect_hook}")
            if self.claims is None:
                check_nameless(self.config)
                return RightsAnswer(YES, "clients without a token are accepted")
            if isinstance(self.claims, SubscriptionClaims):
                return RightsAnswer(NO, "a subscription token opens no connection", INVALID_TOKEN)
            check_has_user(self.config, self.claims)
            credentials_of(self.claims, self.now, expires=not self.config.insecure)
            check_count(self.config, len(claimed_rights(self.config, self.namespaces, self.claims)))
        except CommandError as error:
            return RightsAnswer(NO, str(error), error.code)
        except ProtocolError as error:
            return RightsAnswer(NO, str(error), error.close_code)
        return RightsAnswer(YES, "the token is good")

    def server_side(self) -> list[str]:
        """Return the channels to which the server subscribes the client; none if it is not accepted."""
        if not isinstance(self.claims, ConnectionClaims) or self.connect().allowed == NO:
            return []
        return list(claimed_rights(self.config, self.namespaces, self.claims))

    def in_channel(self, name: str) -> ChannelAnswers:
        """Return what it may do in the channel `name`. Raise `CommandError` if that is no name of a channel."""
        channel = check_channel(name, self.config.channel_bytes_max)
        return self._answers(channel, self.namespaces.rules_of(channel), self._by_grant(channel))

    def answers(self, names: Sequence[str]) -> list[ChannelAnswers]:
        """Return the answers for the channels `names`. Raise `CommandError` if one is no name of a channel.

        Without names: for the channel of a subscription token, or for each namespace.
        """
        if names:
            return [self.in_channel(name) for name in names]
        if isinstance(self.claims, SubscriptionClaims):
            return [self.in_channel(self.claims.channel)]
        return self.in_namespaces()

    def in_namespaces(self) -> list[ChannelAnswers]:
        """Return what it may do in the channels of each namespace, whatever their names; and in its own ones."""
        found: list[ChannelAnswers] = []
        for name in self.namespaces.names:
            inside = "" if name == DEFAULT else name
            channels = [Channel(f"{inside}:{ANY}" if inside else ANY)]
            rules = self.namespaces.rules_of(channels[0])
            if rules is not None and rules.user_limited and self.user:
                channels.append(Channel(personal_channel(inside, self.user)))
            any_name = rules and replace(rules, regex=None)
            found += [self._answers(channel, any_name, self._by_grant(channel)) for channel in channels]
        return found

    def _by_grant(self, channel: Channel) -> RightsAnswer | None:
        """Return the answer of the token itself about a subscription; None if the namespace decides."""
        if isinstance(self.claims, SubscriptionClaims):
            misuse = misuse_of(self.claims, self.user, self.claims.client, channel)
            return RightsAnswer(NO, misuse, INVALID_TOKEN) if misuse else RightsAnswer(YES, "the subscription token")
        if channel in self.server_side():
            return RightsAnswer(YES, "the server subscribes it when it connects")
        return None

    def _answers(self, channel: Channel, rules: ChannelRules | None, granted: RightsAnswer | None) -> ChannelAnswers:
        space = self.namespaces.of(channel)
        subscribe = self._subscribe(rules, channel, granted)
        is_subscribed = granted is not None and subscribe.allowed == YES
        publish, presence, history = (
            self._act(space, rules, channel, action, is_subscribed=is_subscribed)
            for action in (Action.PUBLISH, Action.PRESENCE, Action.HISTORY)
        )
        return ChannelAnswers(
            channel=channel,
            namespace=namespace_of(channel) or DEFAULT,
            subscribe=subscribe,
            publish=publish,
            presence=presence,
            history=history,
            joins=self._joins(space, rules, channel),
        )

    def _subscribe(self, rules: ChannelRules | None, channel: Channel, granted: RightsAnswer | None) -> RightsAnswer:
        ground = ground_of(rules, self.user, channel, Action.SUBSCRIBE)
        if ground in _WRONG_NAMES:
            return self._said(ground, channel, Action.SUBSCRIBE)
        hook = subscribe_hook_name(self.namespaces, channel)
        if granted is None and hook:
            return RightsAnswer(BY_HOOK, f"subscribe_hook is {hook}")
        return granted or self._said(ground, channel, Action.SUBSCRIBE)

    def _act(
        self, space: Namespace, rules: ChannelRules | None, channel: Channel, action: Action, *, is_subscribed: bool
    ) -> RightsAnswer:
        without = ground_of(rules, self.user, channel, action)
        within = ground_of(rules, self.user, channel, action, (channel,))
        lack = space.lack_of(action)
        if action is Action.PUBLISH and space.publish_hook and within not in _WRONG_NAMES:
            return RightsAnswer(BY_HOOK, f"publish_hook is {space.publish_hook}")
        if within.code != ALLOWED:
            return self._said(within, channel, action)
        if lack:
            return RightsAnswer(NO, lack, NOT_AVAILABLE)
        if without.code == ALLOWED:
            return self._said(without, channel, action)
        said = self._said(within, channel, action)
        return said if is_subscribed else msgspec.structs.replace(said, allowed=SUBSCRIBED)

    def _joins(self, space: Namespace, rules: ChannelRules | None, channel: Channel) -> RightsAnswer:
        if rules is None or not space.join_leave:
            return RightsAnswer(NO, "join_leave is not set")
        if will_watch_by(space, rules, self.user, channel, asks=False):
            return RightsAnswer(SUBSCRIBED, "force_push_join_leave")
        if will_watch_by(space, rules, self.user, channel, asks=True):
            return RightsAnswer(SUBSCRIBED, "it may ask for presence")
        return RightsAnswer(NO, "it may not ask for presence")

    def _said(self, ground: Ground, channel: Channel, action: Action) -> RightsAnswer:
        words = ground.words
        if ground is Ground.NO_OPTION:
            words += "; set allow_{action}_for_client"
            words += " or allow_{action}_for_subscriber" if action is not Action.SUBSCRIBE else ""
        elif ground in (Ground.CLIENT, Ground.SUBSCRIBER, Ground.CLIENT_WITHIN) and not self.user:
            words += ", and allow_{action}_for_anonymous"
        why = words.format(action=action.value, namespace=namespace_of(channel))
        return RightsAnswer(YES if ground.code == ALLOWED else NO, why, ground.code)

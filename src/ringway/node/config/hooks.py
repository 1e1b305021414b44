"""Settings of hooks: the backends that a node asks, and when. Namespaces name theirs in their options."""

from collections.abc import Mapping
from typing import Annotated

import msgspec

from ringway.hooks.config import read_hooks, short_hooks
from ringway.node.config.namespace import Namespace
from ringway.node.config.shares import NodeSharesConfig


class NodeHooksConfig(NodeSharesConfig, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The settings of hooks; a part of `NodeConfig`."""

    hooks: Annotated[
        tuple[str, ...],
        msgspec.Meta(
            description="Backends that are asked over HTTP when clients act, each with a name: "
            "app:endpoint=https://app.example/hooks,timeout_s=2. In TOML a table: [node.hooks.app]. The options are "
            "below. All nodes should have the same.",
            extra={"flag": "hook", "table": short_hooks},
        ),
    ] = ()
    connect_hook: Annotated[
        str,
        msgspec.Meta(description="The hook that is asked who a client without a token is. Empty: none."),
    ] = ""

    refresh_hook: Annotated[
        str,
        msgspec.Meta(
            description="The hook that is asked, when a connection has come to its end, whether it goes on; then "
            "clients send no new tokens. Empty: none."
        ),
    ] = ""
    refresh_retry_s: Annotated[
        float,
        msgspec.Meta(
            description="The pause before a refresh hook that has failed is asked again, 50 % jittered; for "
            "subscriptions as well.",
            ge=0.1,
            le=3600,
            extra={"unit": "s"},
        ),
    ] = 30.0
    refresh_grace_s: Annotated[
        float,
        msgspec.Meta(
            description="While a refresh hook fails, a connection or subscription goes on for this long beyond its "
            "end; then it ends.",
            ge=0,
            le=31_536_000,
            extra={"unit": "s"},
        ),
    ] = 3600.0

    def hook_problems(self, namespaces: Mapping[str, Namespace], deadline_s: float) -> list[str]:
        """Return the problems of the hooks; `deadline_s` is that of the connect command. Raise `ConfigError`."""
        hooks = read_hooks(self.hooks)
        named = {"connect_hook": self.connect_hook, "refresh_hook": self.refresh_hook}
        for space in namespaces.values():
            named |= {f"{option} of the namespace {space.name}": name for option, name in space.hooks.items()}
        problems = [
            f"{setting} is {name}, and there is no such hook; give it an endpoint, in [node.hooks.{name}]"
            for setting, name in named.items()
            if name not in ("", *hooks)
        ]
        connect = hooks.get(self.connect_hook)
        if connect is not None and 2 * connect.timeout_s >= deadline_s:
            problems.append(
                f"connect_hook is {self.connect_hook}, whose timeout_s is {connect.timeout_s:g}: a client would meet "
                f"connect_deadline_s ({deadline_s:g}) before the answer; lower timeout_s below half of that"
            )
        return problems

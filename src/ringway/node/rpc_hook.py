"""Calls of clients (RPC) that a hook answers (PROTOCOL.md P-14.11)."""

import re
from dataclasses import replace

from ringway.errors import RpcDisconnect, RpcError, refuse
from ringway.hooks.hook import Hook, HookFailed
from ringway.hooks.hooks import Hooks
from ringway.hooks.stats import HookOutcome
from ringway.node.config.rpc import RpcConfig, RpcOffer
from ringway.protocol.command import ABSENT, raw_or_absent
from ringway.protocol.errorcode import CODES, INTERNAL
from ringway.protocol.hook import ERROR_CHARS_MAX, RPC, SPEECH, RpcHookRequest, encode_request
from ringway.rpc import RpcCall, RpcHandler

_SPEC = re.compile(r"(?:([A-Za-z0-9_-]{1,32})=)?([A-Za-z0-9_-]{1,32})")

_NOT_SENT = (HookOutcome.FULL, HookOutcome.LATE, HookOutcome.OPEN)
"""The failures before a request: the call has had no effect, so that the client may call again."""


class RpcHook:
    """Answers the calls of a namespace by `hook` (`rpc.RpcHandler`)."""

    def __init__(self, hook: Hook) -> None:
        self._hook = hook

    async def answer_call(self, call: RpcCall) -> bytes:
        """Return the result of the hook; raise `RpcError` or `RpcDisconnect`."""
        request = RpcHookRequest(
            client=call.client,
            **SPEECH,
            user=call.user,
            method=call.method,
            data=raw_or_absent(call.raw_data),
            meta=raw_or_absent(call.raw_meta) if self._hook.options.include_connection_meta else ABSENT,
        )
        try:
            answer = await self._hook.send_request(RPC, encode_request(request), call.headers, lambda: True)
        except HookFailed as error:
            message, _ = CODES[INTERNAL]
            raise RpcError(INTERNAL, message, temporary=error.outcome in _NOT_SENT) from None
        if answer.disconnect is not None:
            raise RpcDisconnect(answer.disconnect.code, answer.disconnect.reason)
        if answer.error is not None:
            refused = answer.error
            raise RpcError(refused.code, refused.message[:ERROR_CHARS_MAX], temporary=refused.temporary)
        return answer.result.answer if answer.result is not None else b""


def with_hooks(offer: RpcOffer, hooks: Hooks) -> RpcOffer:
    """Return `offer` with the hooks that its settings name; raise `ConfigError` with all problems."""
    handlers: dict[str, RpcHandler] = dict(offer.handlers)
    problems: list[str] = []
    for spec in offer.config.hooks:
        found = _SPEC.fullmatch(spec)
        if found is None:
            problems.append(f"rpc.hooks has {spec!r}; give the name of a hook, or NAMESPACE=HOOK")
            continue
        namespace, name = found[1] or "", found[2]
        try:
            hook = hooks.named(name)
        except KeyError:
            problems.append(
                f"rpc.hooks has {spec}, and there is no such hook; give it an endpoint, in [node.hooks.{name}]"
            )
            continue
        if namespace in handlers:
            where = f"the namespace {namespace}" if namespace else "methods without a namespace"
            problems.append(f"rpc.hooks has {spec}, and {where} has a function or a hook already; give one of them")
        assert hook is not None
        if 2 * hook.options.timeout_s >= offer.config.timeout_s:
            problems.append(
                f"rpc.hooks has {spec}, whose timeout_s is {hook.options.timeout_s:g}: a call would meet rpc.timeout_s "
                f"({offer.config.timeout_s:g}) before the answer; lower timeout_s below half of that"
            )
        handlers[namespace] = RpcHook(hook)
    refuse(problems)
    return replace(offer, handlers=handlers) if handlers != dict(offer.handlers) else offer


def check_hooks(specs: tuple[str, ...], rpc: RpcConfig) -> None:
    """Raise `ConfigError` if a file of the hooks `specs` cannot be used, or `rpc` names a hook that is not there."""
    with_hooks(RpcOffer(rpc), Hooks(specs, lambda: 0.0))

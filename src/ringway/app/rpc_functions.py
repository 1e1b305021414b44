"""Functions of operators that answer clients' calls (RPC), found by their names in the settings.

A name is `package.module:function`, and before it may be a namespace of methods: `chat=package.module:function`.
Modules are looked for in the working directory, too, as most servers of Python do.
"""

import inspect
import os
import re
import sys
import traceback
from collections.abc import Mapping
from typing import Any

from ringway.app.named_object import object_at
from ringway.errors import ConfigError, refuse
from ringway.node.config.http_api import HttpApiConfig
from ringway.node.config.rpc import RpcConfig, RpcOffer
from ringway.node.rpc_function import CallThreads, Function, RpcFunction
from ringway.rpc import RpcCall, RpcHandler

FORM = "package.module:function, with a namespace before it as chat=package.module:function"

_NAMED = re.compile(r"(?:([A-Za-z0-9_-]{1,32})=)?([A-Za-z_][\w.]*:[A-Za-z_][\w.]*)")
NO_HANDLERS: Mapping[str, RpcHandler] = {}

_NO_CALL = RpcCall("", "", "")


def load_rpc_offer(
    config: RpcConfig, api: HttpApiConfig | None = None, handlers: Mapping[str, RpcHandler] = NO_HANDLERS
) -> RpcOffer:
    """Return what answers calls by `config`: its functions are loaded. `api` bounds what they call at the server.
    `handlers` are those of the program in whose process the node runs, by namespace.

    Raise one `ConfigError` with all problems.
    """
    functions: dict[str, Function] = {}
    problems: list[str] = []
    for spec in config.functions:
        try:
            namespace, function = _load(spec)
        except ConfigError as error:
            problems += error.problems
            continue
        if namespace in functions:
            where = f"the namespace {namespace}" if namespace else "methods without a namespace"
            problems.append(f"the function {spec!r} is the second for {where}; give one for each namespace")
        functions[namespace] = function
    problems += [
        f"rpc.functions names a function for the namespace {name!r}, which the program answers itself; leave one out"
        for name in functions
        if name in handlers
    ]
    refuse(problems)
    threads = CallThreads(config.threads_max)
    loaded = {name: RpcFunction(each, threads) for name, each in functions.items()}
    return RpcOffer(config, {**loaded, **handlers}, api or HttpApiConfig())


def _load(spec: str) -> tuple[str, Function]:
    found = _NAMED.fullmatch(spec)
    if found is None:
        raise ConfigError(f"the function {spec!r} of calls (RPC) is not named as it must be; write {FORM}")
    namespace, name = found.groups()
    here = os.getcwd()
    if here not in sys.path and "" not in sys.path:
        sys.path.insert(0, here)
    try:
        function = object_at(name)
    except (Exception, SystemExit) as error:  # a foreign module may raise anything when it is imported
        raise ConfigError(
            f"the function {name!r} of calls (RPC) cannot be loaded: {type(error).__name__}: {error}{_place(error)}; "
            f"write {FORM}, and start where its module can be imported (looked for in {here} as well)"
        ) from error
    _check_callable(name, function)
    return namespace or "", function


def _check_callable(name: str, function: Any) -> None:
    if not callable(function):
        raise ConfigError(
            f"{name!r} of calls (RPC) is {type(function).__name__}, not a function; name one that takes a call"
        )
    try:
        inspect.signature(function).bind(_NO_CALL)
    except TypeError as error:
        raise ConfigError(
            f"the function {name!r} of calls (RPC) cannot be called with one call: {error}; let it take one argument"
        ) from None
    except ValueError:
        pass  # a function of C says nothing of its arguments


def _place(error: BaseException) -> str:
    """Return the last place in a foreign file that `error` came through; empty if there is none."""
    frames = [frame for frame in traceback.extract_tb(error.__traceback__) if os.path.isfile(frame.filename)]
    foreign = [frame for frame in frames if os.sep + "ringway" + os.sep not in frame.filename]
    return f" ({foreign[-1].filename}, line {foreign[-1].lineno})" if foreign else ""

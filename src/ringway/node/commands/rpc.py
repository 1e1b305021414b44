"""Rpc command: a call of a client, which the handler of its method's namespace answers (PROTOCOL.md P-4.23)."""

from ringway.node.commands.context import CommandContext
from ringway.node.connection.connection import Connection
from ringway.protocol.command import RpcRequest
from ringway.protocol.errorcode import BAD_REQUEST, METHOD_NOT_FOUND, NOT_AVAILABLE, PERMISSION_DENIED, command_error
from ringway.rpc import METHOD_BYTES_MAX, RpcCall, RpcHandler, namespace_of_method


def rpc(context: CommandContext, connection: Connection, command_id: int, request: RpcRequest) -> None:
    """Begin one call: its reply comes later, and later commands do not wait for it. Raise `CommandError`."""
    handler = _handler_of(context, request.method)
    credentials = connection.credentials
    is_allowed = credentials.user or context.rpc.offer.config.allow_for_anonymous or context.config.insecure
    if not is_allowed:
        raise command_error(PERMISSION_DENIED, "anonymous clients may not call (rpc.allow_for_anonymous)")
    call = RpcCall(
        request.method,
        credentials.user,
        connection.client,
        bytes(request.data),
        credentials.info,
        credentials.meta,
        context.rpc.server,
        connection.headers,
    )
    context.rpc.begin(connection, command_id, handler, call)


def _handler_of(context: CommandContext, method: str) -> RpcHandler:
    size = len(method.encode(errors="replace"))
    if size > METHOD_BYTES_MAX or not method.isprintable():
        raise command_error(
            BAD_REQUEST, f"a method of {size} bytes; give at most {METHOD_BYTES_MAX}, without control characters"
        )
    namespace = namespace_of_method(method)
    handler = context.rpc.offer.handlers.get(namespace)
    if handler is None:
        where = f"of the namespace {namespace}" if namespace else "without a namespace"
        raise command_error(METHOD_NOT_FOUND if namespace else NOT_AVAILABLE, f"this node answers no methods {where}")
    return handler

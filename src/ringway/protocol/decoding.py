"""Decoding of input from outside: one function for every decoder, one error for all unreadable input."""

from collections.abc import Callable
from typing import TypeVar

import msgspec

from ringway.errors import ProtocolError
from ringway.protocol.close import BAD_REQUEST
from ringway.protocol.rule import sentence_of_error

T = TypeVar("T")

UNREADABLE = (ValueError, RecursionError, OverflowError)
"""The errors of the decoders: `ValueError` for wrong types, broken JSON (`msgspec.DecodeError`) and bytes that are no
UTF-8 (`UnicodeDecodeError`), `RecursionError` for values that are nested too deep, `OverflowError` for numbers."""


def reader(decode: Callable[[bytes], T], what: str) -> Callable[[bytes], T]:
    """Return a function that decodes bytes by `decode`, and raises `ProtocolError` 3501 for unreadable bytes.

    `what` names the message with its article: "a report". It begins the sentence of the error.
    """

    def read(raw: bytes) -> T:
        try:
            return decode(raw)
        except msgspec.ValidationError as error:
            raise ProtocolError(BAD_REQUEST, f"{what} cannot be read: {sentence_of_error(error)}") from error
        except UNREADABLE as error:
            raise ProtocolError(BAD_REQUEST, f"{what} cannot be read: {error}") from error

    return read
